#!/usr/bin/env bash
# Makes a stand-in for the base image where no registry can be reached: a minimal
# Debian 12 by debootstrap, with this machine's CPython 3.12 in /usr/local. Needs root
# and an engine (scripts/images/engine.sh). Does nothing where the image is there.
#
#   PYTHON_PREFIX    prefix of a CPython 3.12   (the newest one that pyenv has)
#   DEBIAN_MIRROR    archive to install from    (debootstrap's own)
#   BUILD_FOLDER     where 500 MB may lie meanwhile         (TMPDIR or /var/tmp)
set -euo pipefail

readonly series=3.12
readonly suite=bookworm
readonly image=python:$series-slim-$suite
readonly bundle=/etc/ssl/certs/ca-certificates.crt
# What the interpreter links against, and the small packages that the official
# image has as well.
readonly packages=ca-certificates,tzdata,netbase,libssl3,libffi8,libsqlite3-0,libreadline8,libbz2-1.0,liblzma5,zlib1g,libncursesw6,libuuid1,libexpat1

say() { printf '[base] %s\n' "$*"; }
fail() { printf '[base] error: %s\n' "$*" >&2; exit 1; }

newest_prefix() {
    [ -z "${PYTHON_PREFIX:-}" ] || { printf '%s\n' "$PYTHON_PREFIX"; return; }
    command -v pyenv >/dev/null || return 0
    find "$(pyenv root)/versions" -maxdepth 1 -type d -name "$series.*" | sort -V | tail -n 1
}

make_debian() {
    say "Debian $suite by debootstrap"
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" \
        ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; fail "debootstrap failed"; }
    # Builds then get the archives of updates that the host has.
    if grep -qs "^VERSION_CODENAME=$suite\$" /etc/os-release &&
        [ -f /etc/apt/sources.list.d/debian.sources ]; then
        cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
        : >"$root/etc/apt/sources.list"
    fi
}

copy_python() {
    local site=lib/python$series/site-packages
    say "Python $version in /usr/local"
    tar -C "$prefix" --exclude=__pycache__ --exclude="lib/python$series/test" \
        --exclude="lib/python$series/config-$series-*" --exclude="lib/python$series/idlelib" \
        --exclude="lib/python$series/tkinter" --exclude="$site/*" \
        -cf - bin include lib share | tar -C "$root/usr/local" -xf -
    mkdir -p "$root/usr/local/$site"
    cp -a "$prefix/$site"/pip "$prefix/$site"/pip-*.dist-info "$root/usr/local/$site/"
    find "$root/usr/local/$site" -name __pycache__ -prune -exec rm -rf {} +
    # Commands of other packages would be broken.
    find "$root/usr/local/bin" -mindepth 1 \( -type f -o -type l \) \
        ! -name 'python*' ! -name 'pip*' ! -name 'pydoc*' -delete
    { grep -rlIF "$prefix" "$root/usr/local/bin" "$root/usr/local/lib/pkgconfig" \
        "$root/usr/local/lib/python$series"/_sysconfigdata_*.py 2>/dev/null || true; } |
        xargs -r sed -i "s|$prefix|/usr/local|g"
    ln -sf "python$series" "$root/usr/local/bin/python3"
    ln -sf python3 "$root/usr/local/bin/python"
}

# Authorities that the host trusts beside the usual ones, so that a build reaches the
# same package archives as the host does.
copy_trust() {
    find /usr/local/share/ca-certificates -name '*.crt' \
        -exec cp -t "$root/usr/local/share/ca-certificates/" {} + 2>/dev/null || true
    chroot "$root" sh -c 'ldconfig && update-ca-certificates' >/dev/null 2>&1
    printf '[global]\ncert = %s\n' "$bundle" >"$root/etc/pip.conf"
}

import_image() {
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* \
        "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
    chroot "$root" /usr/local/bin/python3 -B -c \
        'import bz2, ctypes, hashlib, lzma, pip, pyexpat, sqlite3, ssl, uuid, zlib' ||
        fail "the copied Python cannot import a module of its own"
    tar -C "$root" --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -cf - . |
        docker import \
            -c 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
            -c 'ENV LANG=C.UTF-8' -c "ENV PYTHON_VERSION=$version" \
            -c 'LABEL parley.stand-in=true' -c 'CMD ["python3"]' - "$image" >/dev/null
}

docker version >/dev/null 2>&1 || fail "no Docker engine answers: scripts/images/engine.sh"
if docker image inspect "$image" >/dev/null 2>&1; then
    say "$image is there"
    exit
fi
[ "$(id -u)" = 0 ] || fail "only root can run debootstrap and chroot"
command -v debootstrap >/dev/null || fail "debootstrap is missing: scripts/images/engine.sh"
prefix=$(newest_prefix)
[ -x "${prefix:-/nowhere}/bin/python$series" ] ||
    fail "no CPython $series found; name its prefix in PYTHON_PREFIX"
version=$("$prefix/bin/python$series" -c 'import platform; print(platform.python_version())')
work=$(mktemp -d "${BUILD_FOLDER:-${TMPDIR:-/var/tmp}}/parley-base.XXXXXX")
root=$work/root
# A debootstrap that was cut short may leave these mounted.
trap 'umount "$root/proc" "$root/sys" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
make_debian
copy_python
copy_trust
import_image
say "made $image (Python $version)"
