#!/usr/bin/env bash
# The base: Java trusts the authorities of the system, Python has its compiled modules, accounts and tools are there.
set -uo pipefail

fail() {
  echo "not ok base ${1//$'\n'/ | }"
  exit 1
}

java -version 2>&1 | grep -q '"17\.' || fail "expected Java 17, found: $(java -version 2>&1 | head -1)"
listed="$(keytool -list -cacerts -storepass changeit 2> /dev/null | grep -c trustedCertEntry)"
bundled="$(grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt)"
(( bundled > 100 )) || fail "expected more than 100 certificates in the bundle, found $bundled"
[[ $listed == "$bundled" ]] || fail "Java trusts $listed authorities, the system $bundled"
python3 -c "
import bz2, ctypes, lzma, sqlite3, ssl, sys, zlib
version = '%d.%d' % sys.version_info[:2]
assert version == '${EXPECT_PYTHON_VERSION:?is not set}', version
assert len(ssl.create_default_context().get_ca_certs()) > 100
" || fail "Python does not work"
[[ $(getent passwd 185 | cut -d: -f1,6) == spark:/opt/spark ]] || fail "uid 185 is $(getent passwd 185)"
for tool in awk bash grep hostname nohup ps python sed tar tini; do
  command -v "$tool" > /dev/null || fail "there is no $tool"
done
[[ $(dpkg-query -f '${db:Status-Status}\n' -W | sort -u) == installed ]] || fail "the package database is not sound"
echo "ok base Java 17, Python $EXPECT_PYTHON_VERSION, $bundled authorities"
