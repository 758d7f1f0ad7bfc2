# shellcheck shell=bash
# An engine of a script's own, in a folder: nobody else's images, containers or daemon are touched. Sourced.
#
#   own_engine docker|podman FOLDER   starts it, and its client finds it; not 0 where it is not, and $why says why
#   end_engine FOLDER                 stops what was started there or below, and unmounts what is left
#
# DOCKERD and DOCKER name other programs than these two.

engine_pid=
why=

own_engine() {
  local folder="$2"
  mkdir -p "$folder"
  case $1 in
    docker)
      why="there is no dockerd or no docker: apt-get install docker.io"
      command -v "${DOCKERD:-dockerd}" > /dev/null && command -v "${DOCKER:-docker}" > /dev/null || return
      export DOCKER_HOST=unix://$folder/sock
      setsid "${DOCKERD:-dockerd}" --data-root "$folder/data" --host "$DOCKER_HOST" --exec-root "$folder/exec" \
        --pidfile "$folder/pid" -b none --iptables=false > "$folder/log" 2>&1 &
      engine_pid=$!
      for _ in $(seq 300); do
        "${DOCKER:-docker}" info > /dev/null 2>&1 && return
        kill -0 "$engine_pid" 2> /dev/null || break
        sleep 0.1
      done
      why="dockerd does not start here: $(grep -o 'msg=.*' "$folder/log" | tail -n 1)"
      return 1
      ;;
    podman)
      why="there is no podman: apt-get install podman"
      command -v podman > /dev/null || return
      printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$folder/podman" "$folder/podman-run" \
        > "$folder/storage.conf"
      # Without systemd; and Podman asks for more files and processes than a container that this runs in may have.
      printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[containers]\ndefault_ulimits = ["nofile=%s", "nproc=%s"]\n' \
        "$(ulimit -Sn):$(ulimit -Hn)" 1024:1024 > "$folder/containers.conf"
      export CONTAINERS_STORAGE_CONF=$folder/storage.conf CONTAINERS_CONF=$folder/containers.conf
      ;;
  esac
}

end_engine() {
  [ -z "$engine_pid" ] || { kill "$engine_pid" 2> /dev/null && wait "$engine_pid" 2> /dev/null || true; }
  engine_pid=
  # Podman has no daemon that ends its containers. Without the file it would take those of its user.
  if [[ ${CONTAINERS_STORAGE_CONF:-} == "$1"/* && -e $CONTAINERS_STORAGE_CONF ]]; then
    podman rm --all --force > /dev/null 2>&1 || true
  fi
  awk -v below="$1/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do
    umount "$mounted" || true
  done
}
