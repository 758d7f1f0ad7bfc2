#!/usr/bin/env bash
#
# Entry point of every Spark image. Kubernetes' scheduler backend calls it as
#     driver [spark-submit options] RESOURCE [ARG...]
#     executor
# and anything else is run as it is given. Only a temporary folder is written, so that the root may be read-only; a
# user that /etc/passwd does not know gets a name (see image-conf/env.sh); tini becomes process 1.
set -euo pipefail

export SPARK_HOME="${SPARK_HOME:-/opt/spark}"
export SPARK_CONF_DIR="${SPARK_CONF_DIR:-$SPARK_HOME/conf}"
image_conf="$SPARK_HOME/sbin/image-conf.sh"

# A Hadoop installation that was mounted brings its own class path, unless one was given.
if [[ -n ${HADOOP_HOME:-} && -z ${SPARK_DIST_CLASSPATH:-} ]]; then
  SPARK_DIST_CLASSPATH="$("$HADOOP_HOME/bin/hadoop" classpath)"
fi

# Settings that env.sh makes are meant for Spark's own scripts, which are children of this one.
settings() {
  set -a
  # shellcheck source=/dev/null
  . "$SPARK_HOME/image-conf/env.sh"
  set +a
}

# The driver's options end at the first word that is neither an option nor an option's value: the application, whose
# own arguments may look like options. Prints the index of the properties file's word, or nothing.
properties_file_index() {
  local i=1
  while (( i <= $# )); do
    case "${!i}" in
      --properties-file) echo $(( i + 1 )); return ;;
      --properties-file=*) echo "$i"; return ;;
      -v | --verbose | --supervise | --load-spark-defaults | -*=*) (( i += 1 )) ;;
      -*) (( i += 2 )) ;;
      *) return ;;
    esac
  done
}

case "${1:-}" in
  driver)
    shift
    arguments=("$@")
    index="$(properties_file_index "$@")"
    if [[ -n $index && $index -le $# ]]; then
      # spark-submit does not read spark-defaults.conf when it is given a file, so the defaults go into a copy of it.
      # SPARK_CONF_DIR stays what was mounted: the driver hands that folder on to its executors.
      export SPARK_IMAGE_CONF_DIR="$SPARK_CONF_DIR"
      word="${arguments[index - 1]}"
      file="$("$image_conf" properties "${word#--properties-file=}")"
      [[ $word == --properties-file=* ]] && file="--properties-file=$file"
      arguments[index - 1]="$file"
    fi
    settings
    command=("$SPARK_HOME/bin/spark-submit")
    if [[ -n ${SPARK_DRIVER_BIND_ADDRESS:-} ]]; then
      command+=(
        --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS"
        --conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS"
      )
    fi
    command+=(--deploy-mode client "${arguments[@]}")
    ;;

  executor)
    # An executor takes its Spark conf from the driver; only the files on its class path are of this image.
    export SPARK_IMAGE_CONF_DIR="$SPARK_CONF_DIR"
    settings
    class_path="$SPARK_CONF_DIR"
    [[ -n ${HADOOP_CONF_DIR:-} ]] && class_path+=":$HADOOP_CONF_DIR"
    class_path+=":${SPARK_CLASSPATH:+$SPARK_CLASSPATH:}$SPARK_HOME/jars/*"
    [[ -n ${SPARK_EXTRA_CLASSPATH:-} ]] && class_path+=":$SPARK_EXTRA_CLASSPATH"
    class_path+=":$PWD:$SPARK_DIST_CLASSPATH"

    # SPARK_JAVA_OPT_0 .. SPARK_JAVA_OPT_n, in the order of their numbers: 10 comes after 9.
    readarray -t names < <(compgen -e SPARK_JAVA_OPT_ | sort -t_ -k4,4n)
    java_options=()
    for name in "${names[@]}"; do
      java_options+=("${!name}")
    done

    command=(
      "${JAVA_HOME:?is not set}/bin/java"
      "${java_options[@]}"
      "-Xms${SPARK_EXECUTOR_MEMORY:?is not set}"
      "-Xmx$SPARK_EXECUTOR_MEMORY"
      -cp "$class_path"
      org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend
      --driver-url "${SPARK_DRIVER_URL:?is not set}"
      --executor-id "${SPARK_EXECUTOR_ID:?is not set}"
      --cores "${SPARK_EXECUTOR_CORES:?is not set}"
      --app-id "${SPARK_APPLICATION_ID:?is not set}"
      --hostname "${SPARK_EXECUTOR_POD_IP:?is not set}"
      --resourceProfileId "${SPARK_RESOURCE_PROFILE_ID:?is not set}"
      --podName "${SPARK_EXECUTOR_POD_NAME:?is not set}"
    )
    ;;

  *)
    settings
    command=("${@:-bash}")
    # A server of sbin/ in the foreground: its script would not pass signals on.
    if [[ -n ${SPARK_NO_DAEMONIZE+set} && ${1:-} == *start-*.sh ]]; then
      command=("$SPARK_HOME/sbin/foreground.sh" "$@")
    fi
    ;;
esac

exec /usr/bin/tini -s -- "${command[@]}"
