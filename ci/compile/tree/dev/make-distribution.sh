#!/usr/bin/env bash
# As Spark's own: Maven is asked for versions, then packages, then what it made is laid out in dist/. What a real compile
# takes from dependencies are jars with nothing in them here.
set -euo pipefail

SPARK_HOME="$(cd "$(dirname "$0")/.." && pwd)"
DISTDIR="$SPARK_HOME/dist"
while (( $# )); do
  case $1 in
    --name) shift ;;
    --mvn) MVN=$2; shift ;;
    *) break ;;
  esac
  shift
done
if [[ -z ${JAVA_HOME:-} ]]; then
  echo "Error: JAVA_HOME is not set, cannot proceed."
  exit 1
fi
cd "$SPARK_HOME"
evaluate() { "$MVN" help:evaluate -Dexpression="$1" "${@:2}" | grep -v INFO | grep -v WARNING | tail -n 1; }
VERSION=$(evaluate project.version "$@")
HADOOP=$(evaluate hadoop.version "$@")

BUILD_COMMAND=("$MVN" clean package -DskipTests "$@")
echo -e "\nBuilding with..."
echo -e "\$ ${BUILD_COMMAND[*]}\n"
"${BUILD_COMMAND[@]}"

rm -rf "$DISTDIR"
mkdir -p "$DISTDIR"/{bin,conf,data,examples,jars,licenses,python/lib,python/pyspark,sbin}
for folder in conf data examples licenses; do echo "of $folder" > "$DISTDIR/$folder/README"; done
echo "Spark $VERSION built for Hadoop $HADOOP" > "$DISTDIR/RELEASE"
echo "Build flags: $*" >> "$DISTDIR/RELEASE"
cp core/target/spark-core_@scala@-"$VERSION".jar hadoop-cloud/target/spark-hadoop-cloud_@scala@-"$VERSION".jar "$DISTDIR/jars"
mkdir target-empty
echo nothing > target-empty/nothing
empty() { "$JAVA_HOME/bin/jar" --create --file "$DISTDIR/jars/$1.jar" -C target-empty nothing; }
for module in sql hive hive-thriftserver kubernetes connect; do
  empty "spark-${module}_@scala@-$VERSION"
done
for jar in "hadoop-client-api-$HADOOP" "hadoop-client-runtime-$HADOOP" "hadoop-aws-$HADOOP" bundle-@aws-sdk@ \
  hive-exec-2.3.9-core hive-metastore-2.3.9 kubernetes-client-6.7.2 scala-library-@scala@.18; do
  empty "$jar"
done
cp python/lib/py4j-*-src.zip "$DISTDIR/python/lib"
"$JAVA_HOME/bin/jar" --create --no-manifest --file "$DISTDIR/python/lib/pyspark.zip" -C target-empty nothing
cp python/pyspark/version.py "$DISTDIR/python/pyspark"
for script in bin/pyspark bin/spark-class bin/spark-shell bin/spark-submit sbin/spark-daemon.sh sbin/start-connect-server.sh; do
  printf '#!/bin/sh\necho "Spark Connect server started"\nexec sleep 60\n' > "$DISTDIR/$script"
  chmod +x "$DISTDIR/$script"
done
