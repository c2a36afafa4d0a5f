#!/usr/bin/env bash
# Builds the image without Docker: with buildah in chroot isolation, as root. The base image is PYTHON_IMAGE (any name that
# `buildah from` accepts, default python:3.13-slim of the local store). If it does not exist, the script builds a Debian with
# debootstrap, with the same Python as the official image, under that name.
#   scripts/build_image.sh [TAG]        # needs the Debian packages buildah and debootstrap
set -euo pipefail
cd "$(dirname "$0")/.."
tag=${1:-localhost/semantic-memory:dev}
base=${PYTHON_IMAGE:-localhost/python:3.13-slim}
store=${IMAGE_STORE:-$PWD/build/image}
mkdir -p "$store"

buildah() { command buildah --root "$store/store" --runroot "$store/run" --storage-driver vfs "$@"; }

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo "building $base with debootstrap …"
  container=$(buildah from scratch)
  root=$(buildah mount "$container")
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$root" >"$store/debootstrap.log" ||
    { tail -5 "$store/debootstrap.log"; buildah rm "$container" >/dev/null; exit 1; }
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  ln -s /usr/bin/python3 "$root/usr/local/bin/python"
  buildah config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
  buildah commit --quiet --rm "$container" "$base" >/dev/null
fi

# The build uses the machine's certificate authorities, because networks with a proxy add one. The format is Docker's, because
# OCI's has no HEALTHCHECK.
authorities=/etc/ssl/certs/ca-certificates.crt
buildah bud --quiet --isolation chroot --format docker --pull-never --volume "$authorities:$authorities:ro" \
  --build-arg PYTHON="$base" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
  --tag "$tag" . 2>"$store/build.log" || { tail -20 "$store/build.log"; exit 1; }
buildah images
