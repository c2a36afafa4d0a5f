#!/usr/bin/env bash
# Checks the deployment files without a cluster: the Dockerfile, the compose file, the chart with each file of its ci/, the
# values that the chart must reject, and that deploy/kubernetes is up to date. `--write` renders deploy/kubernetes again.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/.venv-deploy/bin:$PATH
chart=deploy/helm/semantic-memory
rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT

helm() { .venv-deploy/bin/python scripts/helm.py "$@"; }
template() { helm template "${release:-semantic-memory}" "$chart" --namespace semantic-memory --kube-version 1.30 "$@"; }

# Plain manifests: without the parts that only Helm and operators use, with the namespace first.
render() {
  cat <<'HEADER'
# Rendered from deploy/helm by `scripts/check_deploy.sh --write`: edit the chart, not this file.
apiVersion: v1
kind: Namespace
metadata:
  name: semantic-memory
  labels:
    pod-security.kubernetes.io/enforce: restricted
HEADER
  template --set metrics.serviceMonitor.enabled=false "$@" | sed '/^# Source:/d; /managed-by: Helm/d; /helm\.sh\/chart:/d'
}

# The oldest Kubernetes version that the chart supports, and the newest that the validator knows.
valid() {
  local version
  for version in 1.30 1.37; do
    kubernetes-validate --strict --quiet --no-warn --kubernetes-version "$version" "$@"
  done
}

rejected() {
  local why=$1
  shift
  if template "$@" >"$rendered/out" 2>&1 || ! grep -q "$why" "$rendered/out"; then
    cat "$rendered/out"
    echo "the chart must reject $* with: $why"
    exit 1
  fi
}

hadolint Dockerfile
check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
if type promtool >/dev/null 2>&1; then
  make check-alerts >/dev/null
  echo "checked: Prometheus rules"
else
  echo "skipped: Prometheus rules (promtool is not installed)"
fi

if ! type kube-score >/dev/null 2>&1 || ! [ -d .venv-deploy/helm ]; then
  valid deploy/kubernetes/*.yaml
  echo "skipped: the chart (kube-score is built with Go, and Helm's library comes from Maven: one of them is not installed)"
  exit
fi

mkdir -p deploy/kubernetes
for name in trial production; do
  render --values "$chart/ci/$name.yaml" >"$rendered/$name.yaml"
  [ "${1:-}" != --write ] || cp "$rendered/$name.yaml" "deploy/kubernetes/$name.yaml"
  diff "deploy/kubernetes/$name.yaml" "$rendered/$name.yaml" ||
    { echo "deploy/kubernetes/$name.yaml is out of date: run scripts/check_deploy.sh --write"; exit 1; }
done

for values in "$chart"/ci/*.yaml; do
  helm lint "$chart" --values "$values"
  out=$rendered/manifests.yaml
  release=chat-memories template --values "$values" >"$out"
  valid "$out"
  # Ignored tests: the pull policy, because version tags do not move; pod anti-affinity, because topology spread
  # constraints spread the pods; the CPU limit, because throttling would add latency.
  kube-score score --kubernetes-version v1.30 --exit-one-on-warning --output-format ci --ignore-container-cpu-limit \
    --ignore-test container-image-pull-policy,deployment-has-host-podantiaffinity "$out" >"$rendered/score" ||
    { grep -v '^\[\(OK\|SKIPPED\)' "$rendered/score"; exit 1; }
  echo "checked: $values"
done

rejected "address is missing or set twice" --set access.insecure=true
rejected "address is missing or set twice" --set access.insecure=true,valkey.trial.enabled=true,valkey.existingSecret=a
rejected "has a password" --set access.insecure=true,valkey.url=valkey://me:secret@host
rejected "plaintext" --set valkey.trial.enabled=true
rejected "need no credentials" --set valkey.trial.enabled=true,tls.secret=tls
rejected "go together" --set valkey.trial.enabled=true,tls.secret=tls,access.jwt.issuer=me
rejected "needs tls.secret" --set valkey.trial.enabled=true,tls.clientCaSecret=ca
rejected "kind" --set valkey.trial.enabled=true,access.insecure=true,embedder.kind=other
rejected "replica" --set valkey.trial.enabled=true,access.insecure=true,replica=3
rejected "MEMORY_" --set valkey.trial.enabled=true,access.insecure=true,settings.OTHER=1
echo "checked: the values that the chart must reject"
