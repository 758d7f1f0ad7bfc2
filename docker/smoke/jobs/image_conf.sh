#!/usr/bin/env bash
# How the image's defaults join a configuration that was given: odd properties files, folders, users without a name, and
# a temporary folder that cannot be written. No JVM.
set -uo pipefail

fail() {
  echo "not ok image_conf ${1//$'\n'/ | }"
  exit 1
}

# A SPARK_HOME of its own, with fragments that say what is to be proven.
home="$(mktemp -d)"
mkdir -p "$home/sbin" "$home/image-conf/spark-defaults.d" "$home/conf" "$home/temp"
ln -s /opt/spark/sbin/image-conf.sh "$home/sbin/"
ln -s /opt/spark/image-conf/env.sh "$home/image-conf/"
export SPARK_HOME="$home" TMPDIR="$home/temp"
tool="$home/sbin/image-conf.sh"
printf 'a.first   one two\na.both = first\n' > "$home/image-conf/spark-defaults.d/10-a.conf"
printf '# comment\na.both = second\na.given=image\na.last: end' > "$home/image-conf/spark-defaults.d/20-b.conf"

# The defaults that are added to a file with the given text, sorted.
added() {
  printf '%b' "$1" > "$home/given"
  local file
  file="$("$tool" properties "$home/given")" || fail "image-conf.sh properties ended with $?"
  [[ "$(head -c "$(stat -c %s "$home/given")" "$file" | cksum)" == "$(cksum < "$home/given")" ]] ||
    fail "the given text was changed"
  sed '1,/^# Defaults of the image.$/d' "$file" | sort | tr '\n' ';'
}
same() {
  [[ $2 == "$3" ]] || fail "$1: expected '$2', found '$3'"
}

all="a.both = second;a.first   one two;a.given=image;a.last: end;"
same "an empty file" "$all" "$(added '')"
same "a comment, and a value like a key" "$all" "$(added '#a.given=x\n! a.last\nother=a.first=1\n')"
rest="a.both = second;a.first   one two;a.last: end;"
same "key=value without an end of line" "$rest" "$(added 'a.given=user')"
same "key: value" "$rest" "$(added 'a.given: user\n')"
same "key value, indented" "$rest" "$(added '  \ta.given user\n')"
same "a key alone" "$rest" "$(added 'a.given\n')"
same "an escaped key" "$rest" "$(added 'a\\.given=user\n')"
same "CRLF" "$rest" "$(added 'a.given=user\r\n')"
same "a continued line that looks like a key" "$all" "$(added 'other=x\\\n  a.given=y\n')"
same "a key after a continued line" "$rest" "$(added 'other=x\\\n  y\na.given=z\n')"
same "an even number of backslashes" "$rest" "$(added 'other=x\\\\\na.given=z\n')"
same "a continued last line" "$all" "$(added 'other=x\\')"
same "a file that is not there" "$home/absent" "$("$tool" properties "$home/absent")"

# A folder: the given files are there, its spark-defaults.conf counts.
printf 'a.given user\n' > "$home/conf/spark-defaults.conf"
printf 'x\n' > "$home/conf/hive site.xml"
folder="$("$tool" dir "$home/conf")" || fail "image-conf.sh dir ended with $?"
same "the linked file" x "$(cat "$folder/hive site.xml")"
same "spark-defaults.conf" "a.given user" "$(head -n 1 "$folder/spark-defaults.conf")"
grep -qx 'a.last: end' "$folder/spark-defaults.conf" || fail "the folder lacks the defaults"
same "the same folder again" "$folder" "$("$tool" dir "$home/conf")"
folder="$("$tool" dir "$home/absent")" || fail "image-conf.sh dir for a folder that is not there ended with $?"
same "a folder that is not there" "$all" "$(sed 1d "$folder/spark-defaults.conf" | sort | tr '\n' ';')"

# A temporary folder that another user prepared, or that cannot be written.
rm -rf "$home/temp/spark-conf-$(id -u)"
ln -s /opt/spark "$home/temp/spark-conf-$(id -u)"
folder="$("$tool" dir "$home/conf")" || fail "image-conf.sh dir beside a foreign link ended with $?"
[[ $folder == "$home/temp/spark-conf-$(id -u)."* ]] || fail "a foreign link was followed: $folder"
same "no temporary folder" "$home/conf" "$(TMPDIR=/proc "$tool" dir "$home/conf" 2> "$home/said")"
grep -q 'not writable' "$home/said" || fail "no warning about the temporary folder"

# env.sh: everybody has a name, nothing is done twice, and no function or helper variable is left behind.
cat > "$home/twice" << 'BASH'
set -a
. "$SPARK_HOME/image-conf/env.sh"
. "$SPARK_HOME/image-conf/env.sh"
set +a
id -un
echo "$SPARK_DIST_CLASSPATH"
[[ $SPARK_CONF_DIR == "$TMPDIR"/* ]] && echo joined
compgen -v _ | grep -vx _
compgen -A function
BASH
found="$(env -u LD_PRELOAD -u SPARK_DIST_CLASSPATH -u SPARK_CONF_DIR -u SPARK_IMAGE_CONF_DIR bash "$home/twice")"
user="$(getent passwd "$(id -u)" | cut -d: -f1)"
user="${user:-spark}"
same "env.sh" "$user
$home/image-conf
joined" "$found"

echo "ok image_conf 12 properties files, 3 folders, user $user"
