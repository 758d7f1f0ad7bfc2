#!/usr/bin/env bash
# Compiles Spark and lays its distribution out in dist/ of the tree. Runs in the builder image (docker/spark-builder);
# all arguments go to Maven: profiles, -Dhadoop.version and the like.
#
#   /compile/spark    the source tree; this writes into it
#   /compile/in       read-only: settings.xml and truststore.jks for Maven, patches/*.patch
#   /compile/m2       Maven's repository, kept from one compile to the next
#
#   KAFKA, COMMONS_POOL2    versions that the tree's pom names; they go with the Kafka connector, which
#                           make-distribution.sh leaves out
#   THREADS                 set: so many modules at once
#   OFFLINE                 set: Maven opens no connection
set -euo pipefail

export HOME=/tmp USER=spark
# -C: a file whose checksum does not match is refused.
export MAVEN_ARGS="--settings /compile/in/settings.xml --batch-mode --no-transfer-progress --strict-checksums${THREADS:+ --threads $THREADS}${OFFLINE:+ --offline}"
cd /compile/spark

for patch in /compile/in/patches/*.patch; do
  [[ -e $patch ]] || continue
  echo "Applying ${patch##*/}"
  patch --strip=1 --batch --forward --fuzz=0 --input="$patch"
done

# What the tree has under names of its own would be taken for what is made here.
rm -rf dist
dev/make-distribution.sh --name custom --mvn "$(command -v mvn)" "$@"

# One jar of several that a module makes: without -tests, -sources and the like.
jar_of() {
  local found=()
  for jar in "$1"/target/"$2"_*.jar; do
    [[ $jar =~ -(tests|sources|javadoc|test-sources)\.jar$ || ${jar##*/} == original-* ]] || found+=("$jar")
  done
  if (( ${#found[@]} != 1 )) || [[ ! -e ${found[0]} ]]; then
    echo "Error: expected one jar of $2 in $1/target, found ${#found[@]}: ${found[*]}" >&2
    exit 1
  fi
  echo "${found[0]}"
}

for module in spark-sql-kafka-0-10 spark-token-provider-kafka-0-10; do
  folder=connector/kafka-0-10-sql
  [[ $module == spark-token-provider-* ]] && folder=connector/kafka-0-10-token-provider
  cp "$(jar_of "$folder" "$module")" dist/jars/
done
cp "/compile/m2/org/apache/kafka/kafka-clients/$KAFKA/kafka-clients-$KAFKA.jar" dist/jars/
cp "/compile/m2/org/apache/commons/commons-pool2/$COMMONS_POOL2/commons-pool2-$COMMONS_POOL2.jar" dist/jars/
