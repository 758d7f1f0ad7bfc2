# shellcheck shell=bash
# Sourced by every command of bin/ and sbin/. What an image adds to Spark's settings lies in image-conf/, because
# Kubernetes mounts over this folder. Spark copies this file into the pods it starts, whose image may be another one.
if [ -r "$SPARK_HOME/image-conf/env.sh" ]; then
  . "$SPARK_HOME/image-conf/env.sh"
fi
