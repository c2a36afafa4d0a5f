# Functions of try_compose.sh: a Debian with Docker in namespaces of its own. They use its variables $work and $root.
# shellcheck shell=bash disable=SC2154
packages=(docker.io docker-cli docker-compose iptables iproute2)
cgroup=semantic-memory-try-compose-$$
authorities=/etc/ssl/certs/ca-certificates.crt

# Run a command in a process namespace of its own: if this script ends, all its processes end.
alone() { setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child "$@"; }

# Run a command with its output in a log file, and print the end of the log if it fails. It runs in the background, so that a
# signal ends this script at once.
logged() {
  local log=$work/$1.log
  shift
  "$@" >"$log" 2>&1 &
  wait $! || { tail -20 "$log"; return 1; }
}

# Debian as the base of all images, as a tar file; then, in the same folder, Docker. Downloads about 150 MB.
install_debian() {
  [ ! -e "$root/installed" ] || return 0
  rm -rf "$root" "$work/base.tar"
  # Everything can be downloaded again, so dpkg need not wait for the disk.
  mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
  echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
  logged debootstrap alone debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$root"
  # Networks with a proxy add a certificate authority of their own. The official image has its Python here.
  cp "$authorities" "$root$authorities"
  ln -s /usr/bin/python3 "$root/usr/local/bin/python"
  logged tar tar --create --directory "$root" --exclude './var/cache/apt/archives/*.deb' --file "$work/base.tar" .
  logged docker alone bash -euc '
    mount --types proc proc "$0/proc"
    printf "#!/bin/sh\nexit 101\n" >"$0/usr/sbin/policy-rc.d" && chmod +x "$0/usr/sbin/policy-rc.d"
    chroot "$0" apt-get update
    DEBIAN_FRONTEND=noninteractive chroot "$0" apt-get install --yes --no-install-recommends "$@"
    chroot "$0" apt-get clean' "$root" "${packages[@]}"
  touch "$root/installed"
}

start_lab() {
  setpriv --pdeathsig KILL unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation private \
    scripts/compose/init.sh "$root" "$PWD" >"$work/init.log" 2>&1 &
  lab=$!
  until init=$(pgrep --parent "$lab") && [ -e "/proc/$init/root/run/ready" ]; do
    [ -e "/proc/$lab" ] || { cat "$work/init.log"; return 1; }
    sleep 0.1
  done
}

# Run a command in the lab: with the lab's own network, or with the machine's, for downloads.
environment=(env --ignore-environment --chdir /project HOME=/root LANG=C.UTF-8
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
in_lab() { nsenter --target "$init" --mount --pid --uts --ipc --net --root --wd=/ "${environment[@]}" "$@"; }
on_host_network() { nsenter --target "$init" --mount --pid --uts --ipc --root --wd=/ "${environment[@]}" "$@"; }

# Start Docker with `in_lab` or `on_host_network`, and options.
start_docker() {
  local where=$1
  shift
  "$where" dockerd --cgroup-parent "/$cgroup" --exec-opt native.cgroupdriver=cgroupfs "$@" >>"$work/dockerd.log" 2>&1 &
  docker=$!
  until in_lab docker info >/dev/null 2>&1; do
    [ -e "/proc/$docker" ] || { tail -20 "$work/dockerd.log"; return 1; }
    sleep 0.2
  done
}

stop_docker() {
  in_lab sh -c 'kill $(cat /run/docker.pid)'
  wait "$docker" || true
}

# End all processes of the lab; its mounts and namespaces end with them. Fails if something is left.
stop_lab() {
  [ -n "${lab:-}" ] || return 0
  local namespaces
  namespaces=$(readlink "/proc/${init:-none}/ns/"{mnt,pid,net,uts,ipc} || true)
  { kill -KILL "$lab"; wait; } 2>/dev/null || true
  while [ -e "/proc/${init:-none}" ]; do sleep 0.1; done # Process 1 is the last of its namespace to end.
  find /sys/fs/cgroup -depth -type d -path "*/$cgroup*" -exec rmdir {} + 2>/dev/null
  if readlink /proc/[0-9]*/ns/* | grep --fixed-strings "${namespaces:-none}" || grep "$work" /proc/self/mountinfo ||
    find /sys/fs/cgroup -type d -name "$cgroup" | grep .; then
    echo "FAILED to remove these namespaces, mounts and cgroups"
    return 1
  fi
}
