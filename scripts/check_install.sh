#!/usr/bin/env bash
# Runs the installations of README.md and docs/clients/, each in a new environment, and uses them outside the checkout. HOME
# contains only the configuration of package clients. Arguments select languages: python go typescript java.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT # Go's module cache is read-only.
home=$work/home
mkdir "$home" "$work/checkout" "$work/elsewhere"
for file in .npmrc .m2/settings.xml .config/pip/pip.conf .pip/pip.conf .config/go/env; do
  [ ! -f "$HOME/$file" ] || install -D "$HOME/$file" "$home/$file"
done
# A copy of the files that git tracks or does not ignore, because builds write into their source folder.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ ! -e "$file" ] || printf '%s\0' "$file"
done | xargs -0 cp --parents --target-directory "$work/checkout"
checkout=$work/checkout
export HOME=$home PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
unset PYTHONPATH VIRTUAL_ENV GOPATH GOMODCACHE GOCACHE PIP_CACHE_DIR
[ $# -gt 0 ] || set -- python go typescript java

# Create an environment and run `pip install` with the arguments, in the checkout.
environment() {
  name=$1
  shift
  "${PYTHON:-python3}" -m venv "$work/$name"
  (cd "$checkout" && "$work/$name/bin/pip" install "$@")
}

# Run a command of the environment, outside the checkout.
run() { (cd "$work/elsewhere" && PATH=$work/$name/bin:$PATH "$@"); }

# Run a command, install what its error says, and repeat until nothing is missing. The last output must contain the text.
follow_hints() {
  local text=$1 hint tries
  shift
  for tries in 1 2 3 4 5; do
    run "$@" >"$work/out" 2>&1 </dev/null || true
    hint=$(sed -n 's/.*: \(\/[^ ]* -m pip install .*\)/\1/p' "$work/out" | sed 's/; or set .*//')
    [ -n "$hint" ] || break
    run sh -c "$hint"
  done
  if [ "$tries" -eq 1 ] || ! grep -q "$text" "$work/out"; then
    cat "$work/out"
    echo "'$*' did not say what to install, or still lacks something"
    exit 1
  fi
  echo "checked: $((tries - 1)) hints, until: $text"
}

# Run the demo, and the command that it suggests next.
demo() {
  run memory-service demo >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
  run sh -c "$(sed -n 's/^  \(.*\) serve &.*/\1 --version/p' "$work/out")" | grep -q '^memory-service [0-9]'
}

imports() { run python -c 'from semantic_memory import MemoryClient; from semantic_memory.v1 import memory_service_pb2'; }

initialize='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},
"clientInfo":{"name":"check","version":"1"}}}'
initialize=${initialize//$'\n'/}

check_python() {
  environment base .
  imports
  run memory-service --version
  follow_hints "nothing is left running" env MEMORY_TRACES=true OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 memory-service demo
  follow_hints "for example 127.0.0.1:8080" memory-service console --listen nowhere
  follow_hints serverInfo sh -c "echo '$initialize' | memory-service mcp --user me"
  demo
  echo "checked: pip install ., from a checkout"

  (cd "$checkout" && "$work/base/bin/pip" wheel --no-deps --wheel-dir dist . ./clients/python)
  environment wheel "$(cd "$checkout" && echo dist/semantic_memory_grpc_server-*.whl)[embedded,local]"
  imports
  demo
  follow_hints serverInfo sh -c "echo '$initialize' | memory-service mcp --user me"
  echo "checked: the service's wheel"

  environment client ./clients/python
  imports
  "$work/client/bin/pip" uninstall --yes semantic-memory-grpc-client
  (cd "$checkout" && "$work/client/bin/pip" install dist/semantic_memory_grpc_client-*.whl)
  imports
  echo "checked: the client alone, from a checkout and as a wheel"
}

# Each of these builds a user's program outside the checkout, in "$work/elsewhere/LANGUAGE".
check_go() {
  mkdir "$work/elsewhere/go" && cd "$work/elsewhere/go"
  local module=github.com/semantic-memory/semantic-memory/clients/go
  cp "$checkout/clients/go/examples/remember/main.go" .
  go mod init example.com/user
  go mod edit -replace "$module=$checkout/clients/go"
  go get "$module@v0.0.0"
  go build -o remember .
}

check_typescript() {
  (cd "$checkout/clients/typescript" && npm ci --silent && npm pack --silent)
  mkdir "$work/elsewhere/typescript" && cd "$work/elsewhere/typescript"
  echo '{ "type": "module" }' >package.json
  npm install --silent "$checkout"/clients/typescript/semantic-memory-grpc-client-*.tgz
  echo 'import { connect, Role } from "semantic-memory-grpc-client"; connect("127.0.0.1:1").close(); Role.USER;' >main.js
  node main.js
}

check_java() {
  local maven="mvn --quiet --batch-mode --no-transfer-progress -Duser.home=$HOME" # Java ignores HOME
  (cd "$checkout/clients/java" && $maven install -DskipTests)
  mkdir -p "$work/elsewhere/java/src/main/java" && cd "$work/elsewhere/java"
  cp "$checkout/clients/java/src/test/java/examples/Remember.java" src/main/java/
  sed -i '/^package /d' src/main/java/Remember.java
  cat >pom.xml <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>user</groupId><artifactId>user</artifactId><version>1</version>
  <properties><maven.compiler.source>17</maven.compiler.source><maven.compiler.target>17</maven.compiler.target></properties>
  <dependencies>
$(sed -n '/^<dependency>/,/^<\/dependency>/p' "$checkout/docs/clients/java.md")
  </dependencies>
</project>
POM
  $maven compile
}

for language in "$@"; do
  (check_"$language")
  echo "checked: $language"
done
