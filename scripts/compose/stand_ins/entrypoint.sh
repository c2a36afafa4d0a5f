#!/usr/bin/env bash
# Starts Valkey with its modules, like the entry point of valkey/valkey-bundle. If the engine is RediSearch, drops the setting
# that only valkey-search knows.
set -euo pipefail
if [ "$1" = valkey-server ]; then
  if [ ! -e /opt/engine/is-redisearch ]; then
    set -- "$@" --loadmodule /opt/engine/search.so
  else
    arguments=()
    for argument in "$@"; do
      [[ $argument = "--search."* ]] || arguments+=("$argument")
    done
    set -- "${arguments[@]}" --loadmodule /opt/engine/search.so DEFAULT_DIALECT 2 ON_TIMEOUT FAIL
  fi
  set -- "$@" --loadmodule /opt/engine/json.so
fi
exec "$@"
