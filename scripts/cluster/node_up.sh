#!/usr/bin/env bash
# Runs a command on the network of a one-node Kubernetes, which exists only while the command runs: node_up.sh COMMAND…
# The node has its own mounts, processes, network, host name and cgroups, over the Debian in $CLUSTER/node. The command gets
# NODE, the process id of the node's first process, and a resolv.conf that asks the cluster's DNS.
set -euo pipefail
cluster=$(realpath "${CLUSTER:-build/cluster}")
scripts=$(realpath "$(dirname "$0")")
run=$cluster/run
state=(containerd etcd kubelet cni)
outer=
command=

# The controllers of this process, as the folders of a child for the node.
cgroups() {
  local _ controllers path
  while IFS=: read -r _ controllers path; do
    controllers=${controllers#name=}
    [ -z "$controllers" ] || echo "/sys/fs/cgroup/$controllers${path%/}/try-cluster"
  done </proc/self/cgroup
}

stop() {
  set +e
  local folder attempt one
  # With the first process of the command and of the node, the kernel ends all others and unmounts what they mounted.
  for one in $command $outer; do
    kill -KILL "$one" 2>/dev/null
    wait "$one" 2>/dev/null
  done
  for attempt in $(seq 50); do
    for folder in $(cgroups); do
      [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null
    done
    compgen -G "$(cgroups | head -1)" >/dev/null || break
    sleep 0.2
  done
  rm -rf "$run"
}
trap stop EXIT
trap 'exit 143' TERM INT HUP

export PATH=$PATH:/usr/sbin:/sbin
rm -rf "$run"
mkdir -p "$run" "$cluster/log"
for one in "${state[@]}"; do mkdir -p "$run/var/$one"; done
printf 'nameserver 10.99.0.1\nsearch svc.cluster.local cluster.local\noptions ndots:5\n' >"$run/resolv.conf"

start() {
  local folder
  for folder in $(cgroups); do
    mkdir -p "$folder"
    case $folder in */cpuset/*)
      for one in cpuset.cpus cpuset.mems; do cat "$(dirname "$folder")/$one" >"$folder/$one"; done ;;
    esac
    echo $BASHPID >"$folder/cgroup.procs"
  done
  exec env -i PATH=/cluster/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    unshare --cgroup --mount --pid --net --uts --ipc --fork --kill-child --propagation private \
    bash -euc "$(declare -f mount_node); mount_node $cluster $scripts ${state[*]}; exec bash /scripts/node.sh"
}

# Inside the new namespaces: the Debian root with its system folders, and this project's.
mount_node() {
  local cluster=$1 scripts=$2 root=$1/node one
  shift 2
  hostname node
  mount --bind "$root" "$root"
  cd "$root"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  for one in cpu cpuacct cpuset memory devices freezer blkio pids; do
    mkdir "sys/fs/cgroup/$one"
    mount -t cgroup -o "$one" cgroup "sys/fs/cgroup/$one"
  done
  mkdir sys/fs/cgroup/systemd
  mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
  mount --rbind /dev dev
  mount -t tmpfs tmpfs run
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mkdir -p cluster scripts old
  mount --bind "$cluster" cluster
  mount --bind "$scripts" scripts
  for one in "$@"; do
    mkdir -p "var/lib/$one"
    mount --bind "$cluster/run/var/$one" "var/lib/$one"
  done
  # The kubelet sets these for the whole machine, unless they already have these values: show it that they do.
  for one in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    echo "${one#*=}" >"run/$(basename "${one%=*}")"
    mount --bind "run/$(basename "${one%=*}")" "proc/sys/${one%=*}"
  done
  pivot_root . old
  cd /
  umount --lazy /old
  mount --make-rshared /
}

(start) >"$cluster/log/node.log" 2>&1 &
outer=$!
for _ in $(seq 240); do
  [ ! -e "$run/ready" ] || break
  kill -0 "$outer" 2>/dev/null || { tail -20 "$cluster/log/node.log"; echo "the node ended"; exit 1; }
  sleep 0.5
done
[ -e "$run/ready" ] || { tail -20 "$cluster/log/node.log"; echo "the node is not ready after two minutes"; exit 1; }
NODE=$(pgrep -P "$outer" | head -1)
export NODE CLUSTER=$cluster KUBECONFIG=$run/admin.conf
# In the background, since bash runs a trap only between commands.
nsenter --target "$NODE" --net unshare --mount --pid --kill-child --fork --propagation private sh -euc '
  mount --bind "$CLUSTER/run/resolv.conf" /etc/resolv.conf
  exec "$@"' sh "$@" &
command=$!
wait $command
