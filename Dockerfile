# One image a service: docker build --build-arg SERVICE=chat . (or make image S=chat).
# It runs the service, and each of its commands: docs/operations.md. Decision: ADR 0050.
#
# Same input, same layers: times, modes and bytecode depend on nothing but the input.
# No mounts in RUN and no frontend to fetch: every builder can build it, offline too.

ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG SERVICE

# ---- what the service imports, from its own hashed lock, wheels only ----
# Nothing of a commit is above this: until the lock changes, builds and nodes keep the layer.
FROM ${PYTHON_IMAGE} AS packages
ARG SERVICE
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/${SERVICE}.txt /tmp/requirements.txt
RUN python -m venv --without-pip /opt/parley && \
    python -m pip --python /opt/parley/bin/python install --quiet --root-user-action=ignore \
      --require-hashes --no-deps --only-binary :all: --no-compile -r /tmp/requirements.txt && \
    /opt/parley/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/parley/lib && \
    mkdir -p /out/opt && mv /opt/parley /out/opt/ && \
    chmod -R u=rwX,go=rX /out && \
    find /out -exec touch --no-dereference --date=@0 {} +

# ---- its code, with the time of the commit ----
FROM ${PYTHON_IMAGE} AS code
ARG SERVICE
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
COPY libs /app/libs
COPY services/__init__.py /app/services/__init__.py
COPY services/${SERVICE} /app/services/${SERVICE}
ARG SOURCE_DATE_EPOCH=0
RUN python -m compileall -q --invalidation-mode unchecked-hash /app && \
    mkdir /out && mv /app /out/ && \
    chmod -R u=rwX,go=rX /out && \
    find /out -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# ---- Python without what installs or builds; the same layer under every service ----
FROM ${PYTHON_IMAGE} AS pruned
ENV PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
RUN touch /tmp/began && \
    python -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(site-packages|test|tests|idlelib|tkinter|lib2to3|ensurepip|turtledemo)/' \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" && \
    rm -rf /usr/local/lib/python3.*/site-packages/* /usr/local/lib/python3.*/ensurepip \
      /usr/local/bin/pip* /etc/pip.conf "$HOME/.cache" /var/cache/* /var/log/* /var/lib/apt/lists/* && \
    mkdir /app && install -d -m 1777 /var/lib/parley && \
    find / -xdev -perm /6000 -type f -exec chmod a-s {} + && \
    find / -xdev ! -path '/proc/*' ! -path '/sys/*' ! -path '/dev/*' -newer /tmp/began \
      -exec touch --no-dereference --date=@0 {} + && \
    rm /tmp/began && touch --date=@0 /tmp

FROM scratch AS runtime
# All of it, as one layer: what was removed above is in none.
# hadolint ignore=DL3067
COPY --from=pruned / /
ENV PATH=/opt/parley/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM

# ---- what differs from service to service ----
FROM runtime AS service-gateway
ENV GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=21010 GATEWAY_DATA_DIR=/var/lib/parley
EXPOSE 21010
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD python -m libs.chassis.probe "http://127.0.0.1:$GATEWAY_PORT/health/live"
ENTRYPOINT ["python", "-m", "services.gateway"]

FROM runtime AS service-auth
ENV AUTH_HOST=0.0.0.0 AUTH_PORT=21011 AUTH_DATA_DIR=/var/lib/parley
EXPOSE 21011
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD python -m libs.chassis.probe "http://127.0.0.1:$AUTH_PORT/health/live"
ENTRYPOINT ["python", "-m", "services.auth"]

FROM runtime AS service-chat
ENV CHAT_HOST=0.0.0.0 CHAT_PORT=21012 CHAT_SOCKET_PORT=21013 CHAT_PEER_PORT=21017 CHAT_DATA_DIR=/var/lib/parley
EXPOSE 21012 21013 21017
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD python -m libs.chassis.probe "http://127.0.0.1:$CHAT_PORT/health/live"
ENTRYPOINT ["python", "-m", "services.chat"]

FROM runtime AS service-media
ENV MEDIA_HOST=0.0.0.0 MEDIA_PORT=21014 MEDIA_DATA_DIR=/var/lib/parley
EXPOSE 21014
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD python -m libs.chassis.probe "http://127.0.0.1:$MEDIA_PORT/health/live"
ENTRYPOINT ["python", "-m", "services.media"]

FROM runtime AS service-notification
ENV NOTIFICATION_HOST=0.0.0.0 NOTIFICATION_PORT=21015 NOTIFICATION_DATA_DIR=/var/lib/parley
EXPOSE 21015
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD python -m libs.chassis.probe "http://127.0.0.1:$NOTIFICATION_PORT/health/live"
ENTRYPOINT ["python", "-m", "services.notification"]

FROM runtime AS service-project
ENV PROJECT_HOST=0.0.0.0 PROJECT_PORT=21016 PROJECT_DATA_DIR=/var/lib/parley
EXPOSE 21016
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD python -m libs.chassis.probe "http://127.0.0.1:$PROJECT_PORT/health/live"
ENTRYPOINT ["python", "-m", "services.project"]

# hadolint ignore=DL3006
FROM service-${SERVICE} AS final
ARG SERVICE
COPY --from=packages /out/ /
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="parley-${SERVICE}" \
      org.opencontainers.image.description="Parley, self-hosted team chat: ${SERVICE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=code /out/ /
