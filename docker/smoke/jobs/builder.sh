#!/usr/bin/env bash
# The builder: a Java compiler of the right version, and the Maven that the table names.
set -uo pipefail

fail() {
  echo "not ok builder ${1//$'\n'/ | }"
  exit 1
}

"$JAVA_HOME/bin/javac" -version 2>&1 | grep -q '^javac 17\.' || fail "expected javac 17, found: $("$JAVA_HOME/bin/javac" -version 2>&1)"
mvn="$(mvn --version)" || fail "Maven does not start: $mvn"
[[ $mvn == *"Apache Maven ${EXPECT_MAVEN_VERSION:?is not set} "* ]] || fail "expected Maven $EXPECT_MAVEN_VERSION, found: ${mvn%%$'\n'*}"
for tool in bash find grep patch python3 sed tar; do
  command -v "$tool" > /dev/null || fail "there is no $tool"
done
echo "ok builder javac 17, Maven $EXPECT_MAVEN_VERSION"
