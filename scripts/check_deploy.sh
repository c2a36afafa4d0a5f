#!/usr/bin/env bash
# Checks what deploys the service, without a cluster: the Dockerfile, the compose file, the chart over each file of its
# ci/, what it must refuse, and that deploy/kubernetes is what the chart renders. `--write` renders it anew.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv-deploy/bin:$PATH
chart=deploy/helm/semantic-memory
rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT

template() { helm template "${release:-semantic-memory}" "$chart" --namespace semantic-memory --kube-version 1.30 "$@"; }

# Plain manifests: what only Helm and its operators understand is taken out, and the namespace put before.
render() {
  cat <<'HEADER'
# Rendered from deploy/helm by `scripts/check_deploy.sh --write`: change the chart, not this.
apiVersion: v1
kind: Namespace
metadata:
  name: semantic-memory
  labels:
    pod-security.kubernetes.io/enforce: restricted
HEADER
  template --set metrics.serviceMonitor.enabled=false "$@" | sed '/^# Source:/d; /managed-by: Helm/d; /helm\.sh\/chart:/d'
}

# The oldest Kubernetes that the chart takes, and the newest that is known here.
valid() {
  local version
  for version in 1.30 1.37; do
    kubernetes-validate --strict --quiet --no-warn --kubernetes-version "$version" "$@"
  done
}

refused() {
  local why=$1
  shift
  if template "$@" >"$rendered/out" 2>&1 || ! grep -q "$why" "$rendered/out"; then
    cat "$rendered/out"
    echo "the chart must refuse $* and say: $why"
    exit 1
  fi
}

hadolint Dockerfile
check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
if type promtool >/dev/null 2>&1; then
  make check-alerts >/dev/null
  echo "checked: the rules of Prometheus"
else
  echo "Left out, since there is no promtool: the rules of Prometheus"
fi

if ! type helm kube-score >/dev/null 2>&1; then
  valid deploy/kubernetes/*.yaml
  echo "Left out, since helm and kube-score are built with Go and there is none: the chart itself"
  exit
fi

mkdir -p deploy/kubernetes
for name in trial production; do
  render --values "$chart/ci/$name.yaml" >"$rendered/$name.yaml"
  [ "${1:-}" != --write ] || cp "$rendered/$name.yaml" "deploy/kubernetes/$name.yaml"
  diff "deploy/kubernetes/$name.yaml" "$rendered/$name.yaml" ||
    { echo "deploy/kubernetes/$name.yaml is stale: scripts/check_deploy.sh --write"; exit 1; }
done

for values in "$chart"/ci/*.yaml; do
  helm lint --strict --quiet --kube-version 1.30 "$chart" --values "$values"
  out=$rendered/manifests.yaml
  release=chat-memories template --values "$values" >"$out"
  valid "$out"
  # Left out: pulling anew each time, since a version is a tag that does not move; anti-affinity between pods, since the
  # topology is spread; a limit of CPU, since being throttled would be latency.
  kube-score score --kubernetes-version v1.30 --exit-one-on-warning --output-format ci --ignore-container-cpu-limit \
    --ignore-test container-image-pull-policy,deployment-has-host-podantiaffinity "$out" >"$rendered/score" ||
    { grep -v '^\[\(OK\|SKIPPED\)' "$rendered/score"; exit 1; }
  echo "checked: $values"
done

refused "say where Valkey is" --set access.insecure=true
refused "say where Valkey is" --set access.insecure=true,valkey.trial.enabled=true,valkey.existingSecret=a
refused "has a password" --set access.insecure=true,valkey.url=valkey://me:secret@host
refused "plaintext" --set valkey.trial.enabled=true
refused "anyone could call" --set valkey.trial.enabled=true,tls.secret=tls
refused "go together" --set valkey.trial.enabled=true,tls.secret=tls,access.jwt.issuer=me
refused "needs tls.secret" --set valkey.trial.enabled=true,tls.clientCaSecret=ca
refused "kind" --set valkey.trial.enabled=true,access.insecure=true,embedder.kind=other
refused "replica" --set valkey.trial.enabled=true,access.insecure=true,replica=3
refused "MEMORY_" --set valkey.trial.enabled=true,access.insecure=true,settings.OTHER=1
echo "checked: what the chart must refuse"
