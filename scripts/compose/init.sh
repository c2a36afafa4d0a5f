#!/usr/bin/env bash
# Process 1 of the namespaces in which Docker runs: mounts what Docker needs, enters the Debian at ROOT, and reaps processes.
#   unshare --mount --pid --net --uts --ipc --fork init.sh ROOT PROJECT
set -euo pipefail
root=$1
project=$2

mount --bind "$root" "$root"
cd "$root"
mount --types proc proc proc
mount --types sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount --types tmpfs tmpfs dev/shm
mount --types tmpfs --options mode=755 tmpfs run
mount --types tmpfs --options mode=1777 tmpfs tmp
mkdir -p project old
mount --bind "$project" project
mount --options remount,bind,ro project
pivot_root . old
cd /
umount --lazy /old
hostname compose
ip link set lo up
touch /run/ready
while true; do sleep 1; done
