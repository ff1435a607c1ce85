#!/usr/bin/env bash
# Builds the image of each service that is named twice, from nothing, and compares the layers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

layers() { docker image inspect --format '{{join .RootFS.Layers "\n"}}' "$1"; }
build() { IMAGE_PREFIX=$1 BUILD_OPTIONS=--no-cache bash scripts/images/build.sh "$2" | cut -d' ' -f1; }

for service in "$@"; do
    first=$(build parley-first- "$service")
    second=$(build parley-second- "$service")
    if ! diff <(layers "$first") <(layers "$second"); then
        echo "$service: two builds of one commit differ; $first and $second are kept" >&2
        exit 1
    fi
    echo "$service: two builds, the same $(layers "$first" | wc -l) layers"
    docker image rm --force "$first" "$second" >/dev/null
done
