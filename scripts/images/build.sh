#!/usr/bin/env bash
# Builds the image of each service that is named: parley-<service>:<version>.
# Versions and times come from the checkout, so the same commit gives the same layers.
#
#   IMAGE_PREFIX    before the service's name, with a registry if there is one  (parley-)
#   BUILD_OPTIONS   more options of docker build, for example --no-cache
#   PYTHON_IMAGE    base image; by digest for a release                   (the Dockerfile's)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' libs/chassis/version.py)
revision=$(git rev-parse HEAD)
epoch=$(git log -1 --format=%ct)
created=$(date --utc --date="@$epoch" +%Y-%m-%dT%H:%M:%SZ)

for service in "$@"; do
    image=${IMAGE_PREFIX:-parley-}$service
    file=Dockerfile
    [ "$service" != edge ] || file=deploy/nginx/Dockerfile
    [ "$service" != standins ] || file=deploy/compose/Dockerfile
    # shellcheck disable=SC2086 # options are words
    docker build ${BUILD_OPTIONS:-} --quiet --file "$file" --tag "$image:$version" \
        --build-arg "SERVICE=$service" --build-arg "SOURCE_DATE_EPOCH=$epoch" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
        --build-arg "CREATED=$created" ${PYTHON_IMAGE:+--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE"} \
        . >/dev/null
    docker image inspect --format "$image:$version {{.Id}} {{.Size}} bytes" "$image:$version"
done
