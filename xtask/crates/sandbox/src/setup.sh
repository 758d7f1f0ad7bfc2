# setup.sh SCRATCH UPPER NETWORK HOSTNAME [READ-ONLY TARGET...] -- [--move] COMMAND...
#
# Makes the file system of the box, then becomes the command. Runs as root of new mount, pid, ipc and uts namespaces.
# SCRATCH holds what was prepared: the mount points `root`, `rw` and `sys`, and the table of mounts `fstab`.
# UPPER is `disk` or `memory`, NETWORK is `none` or `host`.
set -eu
scratch=$1 upper=$2 network=$3 hostname=$4
shift 4
exec 3>&2 2>"$scratch/setup.log"
cd "$scratch"
umask 022

# -n, -i: no mtab, no helper programs.
m() { mount -n -i "$@"; }

hostname "$hostname"
if [ "$upper" = memory ]; then
    m -t tmpfs -o mode=755 tmpfs rw
    mkdir rw/upper rw/work
fi
# An ordinary user gets no new /sys where the host hides parts of its own, nor in the host's network. It is empty then.
if m -t sysfs -o nosuid,nodev,noexec sysfs sys 2>/dev/null; then sys=yes; else sys=no; fi
if [ "$network" = none ]; then
    { echo 0x9 >sys/class/net/lo/flags; } 2>/dev/null || ip link set lo up
fi
if [ $sys = yes ]; then m -o remount,bind,ro sys; fi
m --all --fstab fstab
# With the bind itself, the kernel would refuse: only a remount keeps the flags that the host's mount has.
while [ "$1" != -- ]; do
    m -o remount,bind,ro "$1"
    shift
done
shift
cd root
if [ "$1" = --move ]; then # Then a process that leaves its root is in this one again.
    m --move . /
    shift
fi
# As many open files as an engine allows, or as many as this machine does.
ulimit -n 1048576 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
: >"$scratch/ready"
exec 2>&3 3>&-
exec "$@"
