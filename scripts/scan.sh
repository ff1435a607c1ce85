#!/usr/bin/env bash
# Scans manifests and Dockerfiles by checkov, which has an environment of its own: it pins
# what we use in other versions. Everything has to pass but for the ids below.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly folder=.scan

# Development's images are built on the machine and named by their version.
readonly development=CKV_K8S_15,CKV_K8S_43
# CKV_DOCKER_7: the base is named by an argument, exactly; tests/unit/images reads it.
# CKV_DOCKER_2: the edge's image holds nothing that could ask; who runs it asks its port.
readonly dockerfiles=CKV_DOCKER_7,CKV_DOCKER_2

scan() {
    "$folder/bin/checkov" --skip-download --quiet --compact "$@"
}

[ -x "$folder/bin/python" ] || .venv/bin/uv venv -q --python .venv/bin/python "$folder"
.venv/bin/uv pip sync -q --python "$folder/bin/python" --require-hashes requirements/scan.txt
for overlay in dev production; do
    .venv/bin/kubectl kustomize "deploy/k8s/overlays/$overlay" >"$folder/$overlay.yaml"
done
scan --framework kubernetes -f "$folder/production.yaml"
scan --framework kubernetes -f "$folder/dev.yaml" --skip-check "$development"
scan --framework dockerfile -f Dockerfile deploy/nginx/Dockerfile deploy/compose/Dockerfile --skip-check "$dockerfiles"
