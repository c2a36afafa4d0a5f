#!/usr/bin/env bash
# Runs deploy/compose.yaml with Docker, as a user does, and checks its promises: see scripts/compose/steps.py. As root on
# Debian, with debootstrap and procps, and with the project's .venv. Docker runs in namespaces of its own; at the end nothing is
# left but the folder WORK, which makes the next run faster (`rm -r` it to start from nothing).
#
# No registry is needed. The service's image is built from the Dockerfile; these images are stand-ins:
#   python:3.13-slim            Debian trixie, which has the same Python
#   valkey/valkey-bundle:9.1    the Valkey, RediSearch and RedisJSON of the embedded engine; or valkey-search, with
#                               SERVER=/path/valkey-server MODULES=/path/libsearch.so,/path/libjson.so
#   prom/prometheus             Debian's Prometheus
# Grafana is left out. COMPOSE names another compose file in deploy/, to see that the checks fail on a wrong one.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(realpath --canonicalize-missing "${WORK:-build/compose}")
root=$work/root
file=${COMPOSE:-deploy/compose.yaml}
python=.venv/bin/python
. scripts/compose/lab.sh

compose() { on_host_network docker compose --file "$file" --file scripts/compose/stand_ins.yaml --profile monitoring "$@"; }

# Print how long a part of the preparation took.
prepare() {
  local began=$SECONDS
  echo "preparing: $1 …"
  "$2"
  echo "prepared: $1 ($((SECONDS - began)) s)"
}

copy_engine() {
  local engine=$root/stand-ins/engine files
  rm -rf "$root/stand-ins"
  mkdir -p "$engine"
  cp scripts/compose/stand_ins/* "$root/stand-ins"
  if [ -n "${MODULES:-}" ]; then
    files=("${SERVER:?is needed with MODULES}" "${MODULES%,*}" "${MODULES#*,}")
  else
    mapfile -t files < <("$python" -c '
from memory_service.embedded.packages import find_engine
files = find_engine()
print(files.server, files.search_module, files.json_module, sep="\n")')
    touch "$engine/is-redisearch"
  fi
  cp "${files[0]}" "$engine/valkey-server"
  cp "${files[1]}" "$engine/search.so"
  cp "${files[2]}" "$engine/json.so"
}

build_images() {
  copy_engine
  # Images need downloads, so this Docker uses the machine's network, which it does not change.
  start_docker on_host_network --iptables=false --ip6tables=false --ip-forward=false --bridge=none
  # A run that was killed leaves its containers and data.
  in_lab sh -c 'docker ps --all --quiet | xargs --no-run-if-empty docker rm --force
    docker volume prune --all --force; docker network prune --force' >/dev/null
  in_lab docker image inspect python:3.13-slim >/dev/null 2>&1 ||
    in_lab docker import --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin' - python:3.13-slim \
      <"$work/base.tar" >/dev/null
  logged build compose build valkey memory prometheus
  stop_docker
}

check() {
  start_docker in_lab
  nsenter --net="/proc/$init/ns/net" env COMPOSE_FILE="$file" DOCKER_INIT="$init" "$python" -m scripts.compose.steps &
  wait $!
}

finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  exec >&3 2>/dev/null # A signal may come while the output goes elsewhere. Bash would report each job that is killed.
  # Without time to react: what they leave is in the folder, or ends with the namespaces.
  jobs -p | xargs --no-run-if-empty kill -KILL 2>/dev/null || true
  if stop_lab; then echo "ok nothing left: no process, mount, namespace or cgroup"; else status=1; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

exec 3>&1
mkdir -p "$work"
exec 9>"$work/lock"
flock --nonblock 9 || { echo "another run uses $work"; exit 1; }
: >"$work/dockerd.log"
echo "stand-ins: python:3.13-slim, prom/prometheus and the Valkey of valkey/valkey-bundle:9.1 are local builds; no Grafana"
prepare "Debian and Docker" install_debian
start_lab
prepare "images" build_images
check
echo "passed after $SECONDS s"
