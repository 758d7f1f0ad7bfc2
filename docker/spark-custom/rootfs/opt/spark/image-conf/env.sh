# shellcheck shell=bash disable=SC2034
# Settings that every Spark process of this image starts with. Sourced, with `set -a` on, by the entrypoint and by
# conf/spark-env.sh, so that `docker exec` and `kubectl exec` sessions have them as well. It defines no function,
# because `set -a` would export it, and does nothing a second time.

# Hadoop refuses to log in a user without a name, and OpenShift runs containers as a random user of group 0. The root
# may be read-only, so /etc/passwd stays as it is and nss_wrapper shows a copy with one more line.
if ! getent passwd "$(id -u)" > /dev/null 2>&1; then
  for _library in /usr/lib/*/libnss_wrapper.so /usr/lib64/libnss_wrapper.so; do
    if [ -r "$_library" ] && _identity="$("$SPARK_HOME/sbin/image-conf.sh" identity)"; then
      NSS_WRAPPER_PASSWD="$_identity/passwd"
      NSS_WRAPPER_GROUP="$_identity/group"
      LD_PRELOAD="$_library${LD_PRELOAD:+:$LD_PRELOAD}"
      break
    fi
  done
  unset _library _identity
fi

# A container without a network (`docker run --network none`) has a name that leads nowhere, and Spark looks itself up.
if [ -z "${SPARK_LOCAL_IP:-}" ] && ! getent hosts "$(hostname)" > /dev/null 2>&1; then
  SPARK_LOCAL_IP=127.0.0.1
fi

# At the end of the class path: log4j2.properties and metrics.properties of the image are found when the conf folder,
# which comes first, has none.
case ":${SPARK_DIST_CLASSPATH:-}:" in
  *":$SPARK_HOME/image-conf:"*) ;;
  *) SPARK_DIST_CLASSPATH="${SPARK_DIST_CLASSPATH:+$SPARK_DIST_CLASSPATH:}$SPARK_HOME/image-conf" ;;
esac

# A conf folder whose spark-defaults.conf holds the image's defaults as well. The variable remembers which folder has
# been seen to.
if [ "${SPARK_IMAGE_CONF_DIR:-}" != "${SPARK_CONF_DIR:=$SPARK_HOME/conf}" ]; then
  if _folder="$("$SPARK_HOME/sbin/image-conf.sh" dir "$SPARK_CONF_DIR")"; then
    SPARK_CONF_DIR="$_folder"
  fi
  SPARK_IMAGE_CONF_DIR="$SPARK_CONF_DIR"
  unset _folder
fi

# Without a metastore of its own, Spark's Hive catalog keeps one in the working directory, and so no shell would start
# on a read-only root.
if [ ! -w . ]; then
  case "${SPARK_SUBMIT_OPTS:-}" in
    *-Dderby.system.home=*) ;;
    *) SPARK_SUBMIT_OPTS="-Dderby.system.home=${TMPDIR:-/tmp}/derby${SPARK_SUBMIT_OPTS:+ $SPARK_SUBMIT_OPTS}" ;;
  esac
fi
