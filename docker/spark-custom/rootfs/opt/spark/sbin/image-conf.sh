#!/usr/bin/env bash
#
# Joins the image's defaults with a configuration that was given.
#     image-conf.sh properties FILE   prints the path of a copy of FILE with each default that FILE does not set
#     image-conf.sh dir DIR           prints the path of a folder with DIR's files and such a spark-defaults.conf
#     image-conf.sh identity          prints the path of a folder with a passwd and a group that know this user
#
# Defaults are image-conf/spark-defaults.d/*.conf, read in the order of their names; of two that set one key the later
# counts. A key of the given configuration is never overridden. Where no temporary folder can be written, the given
# path is printed back and a warning says so.
set -euo pipefail
shopt -s nullglob

fragments=("${SPARK_HOME:-/opt/spark}"/image-conf/spark-defaults.d/*.conf)
temp="${TMPDIR:-/tmp}"

# Reads Java properties from stdin into `lines` (key -> logical line) and `keys` (in the order of first appearance).
declare -A lines=()
keys=()
read_properties() {
  local line more backslashes key
  while IFS= read -r line || [[ -n $line ]]; do
    line="${line%$'\r'}"
    line="${line#"${line%%[![:space:]]*}"}"
    [[ -z $line || $line == [#!]* ]] && continue
    # An odd number of backslashes at the end continues the line.
    while backslashes="${line##*[!\\]}" && (( ${#backslashes} % 2 )) && IFS= read -r more; do
      more="${more%$'\r'}"
      line="${line%\\}${more#"${more%%[![:space:]]*}"}"
    done
    [[ $line =~ ^([^\\=:[:space:]]|\\.)* ]]
    key="${BASH_REMATCH[0]//\\/}"
    [[ -v lines[$key] ]] || keys+=("$key")
    lines[$key]="$line"
  done
}

# Prints the given file (if it is one) and the defaults for keys that it lacks.
merged() {
  local given="$1" key
  local -A default=()
  local -a order=()
  local fragment
  for fragment in "${fragments[@]}"; do
    read_properties < "$fragment"
  done
  order=("${keys[@]}")
  for key in "${order[@]}"; do
    default[$key]="${lines[$key]}"
  done
  lines=()
  keys=()
  if [[ -f $given ]]; then
    read_properties < "$given"
    cat -- "$given"
    # The last line may lack its end, or be continued.
    printf '\n\n'
  fi
  printf '# Defaults of the image.\n'
  for key in "${order[@]}"; do
    [[ -v lines[$key] ]] || printf '%s\n' "${default[$key]}"
  done
}

# Makes a folder of this user's own: `mine NAME` -> its path. Whoever else may write the temporary folder could have
# made that name first.
mine() {
  local path="$temp/$1-$UID"
  mkdir -m 700 -- "$path" 2> /dev/null || true
  if [[ -d $path && -O $path && ! -L $path ]]; then
    echo "$path"
  else
    mktemp -d -- "$path.XXXXXX" 2> /dev/null
  fi
}

# Writes stdin to a file that is either whole or not there.
put() {
  local partial
  partial="$(mktemp -- "$1.XXXXXX")"
  cat > "$partial"
  mv -f -- "$partial" "$1"
}

without_defaults() {
  echo "image-conf.sh: warning: $temp is not writable, so the image's Spark defaults are not used" >&2
  printf '%s\n' "$1"
  exit 0
}

case "${1:-} $#" in
  "properties 2")
    if [[ ! -r $2 ]]; then
      # spark-submit has the better words for a file that is not there.
      printf '%s\n' "$2"
      exit 0
    fi
    home="$(mine spark-conf)" || without_defaults "$2"
    text="$(merged "$2")"
    sum="$(cksum <<< "$text")"
    file="$home/${sum%% *}.properties"
    put "$file" <<< "$text"
    echo "$file"
    ;;
  "dir 2")
    home="$(mine spark-conf)" || without_defaults "$2"
    text="$(merged "$2/spark-defaults.conf")"
    given="$(cd -- "$2" 2> /dev/null && pwd)" || given="$2"
    # Links to the given files follow what happens to them later; a folder that is there needs to be made only once
    # for the same text and the same names.
    names=("$given"/* "$given"/.[!.]*)
    sum="$(printf '%s\n' "$text" "${names[@]}" | cksum)"
    folder="$home/${sum%% *}"
    mkdir -p -- "$folder"
    for name in "${names[@]}"; do
      [[ ${name##*/} == spark-defaults.conf ]] || ln -sfn -- "$name" "$folder/${name##*/}"
    done
    put "$folder/spark-defaults.conf" <<< "$text"
    echo "$folder"
    ;;
  "identity 1")
    home="$(mine spark-identity)"
    gid="$(id -g)"
    # The image's own user steps aside: a name has one number, and this process has the name `spark`.
    {
      echo "spark:x:$UID:$gid:${SPARK_USER_NAME:-Spark}:${SPARK_HOME:-/opt/spark}:/bin/bash"
      grep -v '^spark:' /etc/passwd
    } | put "$home/passwd"
    {
      getent group "$gid" > /dev/null || echo "spark-$gid:x:$gid:"
      cat /etc/group
    } | put "$home/group"
    echo "$home"
    ;;
  *)
    echo "usage: image-conf.sh properties FILE | dir DIR | identity" >&2
    exit 2
    ;;
esac
