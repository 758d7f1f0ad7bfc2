#!/usr/bin/env bash
# The builder: a Java compiler of the right version, the Maven that the table names, and what a compile calls.
set -uo pipefail

wrong=""
javac="$("$JAVA_HOME/bin/javac" -version 2>&1)"
[[ $javac == "javac 17."* ]] || wrong+="; expected javac 17, found: $javac"
mvn="$(mvn --version 2>&1)"
[[ $mvn == *"Apache Maven ${EXPECT_MAVEN_VERSION:?is not set} "* ]] || wrong+="; expected Maven $EXPECT_MAVEN_VERSION, found: $mvn"
for tool in bash find grep patch python3 sed tar; do
  command -v "$tool" > /dev/null || wrong+="; there is no $tool"
done
if [[ -n $wrong ]]; then
  wrong="${wrong#; }"
  echo "not ok builder ${wrong//$'\n'/ | }"
  exit 1
fi
echo "ok builder javac 17, Maven $EXPECT_MAVEN_VERSION"
