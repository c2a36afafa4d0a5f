#!/bin/sh
# Starts Valkey with the modules of this image, as the entry point of valkey/valkey-bundle does. Arguments are those of that
# image: a command, or only options or a configuration file of valkey-server.
set -eu
case ${1:-} in
valkey-server) shift ;;
*.conf | -*) ;;
*) exec "$@" ;;
esac
case ${1:-} in
*.conf)
  # Only valkey-search knows this setting.
  ls /usr/lib/valkey | grep -q libsearch || { sed /search.max-worker-suspension-secs/d "$1" >/tmp/valkey.conf; shift; set -- /tmp/valkey.conf "$@"; }
  ;;
esac
for module in /usr/lib/valkey/*.so; do
  set -- "$@" --loadmodule "$module"
done
exec valkey-server "$@"
