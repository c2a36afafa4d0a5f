#!/usr/bin/env bash
# Builds the image of the Dockerfile where there is no Docker: with buildah in chroot isolation, as root. The base image
# is one that the store has already, or PYTHON_IMAGE=archive:tag (what `buildah from` takes), or else a Debian made here
# with debootstrap, with the same Python as the official image and tagged like it.
#   scripts/build_image.sh [TAG]        # needs the Debian packages buildah and debootstrap
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:-localhost/semantic-memory:dev}
base=${PYTHON_IMAGE:-localhost/python:3.13-slim}
store=${IMAGE_STORE:-$PWD/build/image}
mkdir -p "$store"

buildah() { command buildah --root "$store/store" --runroot "$store/run" --storage-driver vfs "$@"; }

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo "making $base with debootstrap …"
  container=$(buildah from scratch)
  root=$(buildah mount "$container")
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$root" >"$store/debootstrap.log" ||
    { tail -5 "$store/debootstrap.log"; buildah rm "$container" >/dev/null; exit 1; }
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  ln -s /usr/bin/python3 "$root/usr/local/bin/python"
  buildah config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
  buildah commit --quiet --rm "$container" "$base" >/dev/null
fi

# The machine's own certificate authorities during the build alone: networks with a proxy have one more. The format is
# Docker's, since OCI's has no HEALTHCHECK.
authorities=/etc/ssl/certs/ca-certificates.crt
buildah bud --quiet --isolation chroot --format docker --pull-never --volume "$authorities:$authorities:ro" \
  --build-arg PYTHON="$base" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
  --tag "$tag" . 2>"$store/build.log" || { tail -20 "$store/build.log"; exit 1; }
buildah images
