#!/bin/bash
# Makes .venv with exactly what requirements/dev.txt locks, and nothing else.
# Every make target calls it, so it does only what is missing and is silent then.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly venv=.venv
readonly lock=requirements/dev.txt
readonly bootstrap=requirements/bootstrap.txt
readonly stamp=$venv/.parley-lock
readonly oldest="3, 11"

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

is_python() { "$1" -c "import sys; sys.exit(sys.version_info < ($oldest))" 2>/dev/null; }

find_python() {
    local candidate
    for candidate in ${PYTHON3:-python3 python3.11 python3.12 python3.13 /usr/bin/python3}; do
        if command -v "$candidate" >/dev/null && is_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed. Install it, or name it: make setup PYTHON3=/path/to/python3"
}

# Runs a command as root, if that is possible without asking for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
can_be_root() {
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

install_venv_module() {
    local package
    package="python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    local advice="sudo apt-get update && sudo apt-get install -y --no-install-recommends $package"
    command -v apt-get >/dev/null || fail "$1 cannot make virtual environments (module ensurepip is missing)"
    can_be_root || fail "$1 cannot make virtual environments. Install what is missing: $advice"
    say "installing $package from Debian's archive"
    as_root apt-get update -q >/dev/null || true
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$package" >/dev/null || fail "apt-get failed; try: $advice"
}

make_venv() {
    local python
    if [ -x $venv/bin/python ] && is_python $venv/bin/python; then return; fi
    python=$(find_python)
    "$python" -c 'import ensurepip' 2>/dev/null || install_venv_module "$python"
    say "making $venv with $python ($("$python" --version))"
    "$python" -m venv --clear $venv
}

install_uv() {
    local wanted
    wanted=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' $bootstrap)
    if [ "$($venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" = "$wanted" ]; then return; fi
    say "installing uv $wanted"
    # An environment that uv has pruned may be without pip.
    $venv/bin/python -m pip --version >/dev/null 2>&1 || $venv/bin/python -m ensurepip >/dev/null
    $venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $bootstrap
}

install_lock() {
    local now
    now="$(sha256sum <$lock | cut -d' ' -f1) $($venv/bin/python --version)"
    if [ "$(cat $stamp 2>/dev/null)" = "$now" ]; then return; fi
    install_uv
    say "installing what $lock pins"
    rm -f $stamp
    $venv/bin/uv pip sync -q --python $venv/bin/python --require-hashes $lock
    printf '%s\n' "$now" >$stamp
    install_debian_packages
}

# Unit tests do without these: what cannot be installed now is told again by `make up`.
install_debian_packages() {
    $venv/bin/python -m deploy.embedded packages || say "the servers cannot start before that is done"
}

# Two makes at a time take turns.
mkdir -p .parley
exec 9>>.parley/setup.lock
flock 9
make_venv
install_lock
