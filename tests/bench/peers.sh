# shellcheck shell=bash
#
# peers.sh - other proxies to compare with, unpacked below $GILMOK_STATE/peers and not installed.
#
# Sourced after deploy/lib.sh. What is there already is kept. Each function fails quietly when its peer cannot be had.

PEERS=$GILMOK_STATE/peers

# unpack NAME APT_OPTIONS -- PACKAGE...: downloads and unpacks into $PEERS/NAME, once.
unpack() {
    local name=$1 options=()
    shift
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    [ -e "$PEERS/$name/.done" ] && return 0
    mkdir -p "$PEERS/$name/deb" && (
        cd "$PEERS/$name/deb" || exit 1
        apt-get ${options[@]+"${options[@]}"} -o APT::Sandbox::User="$(id -un)" download "$@" || exit 1
        for deb in *.deb; do dpkg -x "$deb" .. || exit 1; done
        touch ../.done
    ) >"$GILMOK_STATE/log/peer-$name.log" 2>&1
}

fetch_pgbouncer() { unpack pgbouncer -- pgbouncer libc-ares2 libevent-2.1-7 libssl3; }

fetch_haproxy() { unpack haproxy -- haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-posix3; }

fetch_pgpool() { unpack pgpool -- pgpool2 libpgpool2 libmemcached11 libhashkit2; }

# A newer PgBouncer from Debian's development suite, run with that suite's own C library; the mirror is the one that
# apt already uses. Optional.
fetch_newer_pgbouncer() {
    local dir=$PEERS/sid uri options
    [ -e "$PEERS/pgbouncer-new/.done" ] && return 0
    uri=$(awk '/^URIs:/ {print $2; exit} $1 == "deb" {print $2; exit}' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null)
    [ -n "$uri" ] || return 1
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/etc" || return 1
    printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "$uri" >"$dir/etc/sid.sources"
    options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$dir/etc" -o "Dir::State::lists=$dir/lists"
        -o "Dir::Cache=$dir/cache")
    apt-get "${options[@]}" -o APT::Sandbox::User="$(id -un)" update >"$GILMOK_STATE/log/peer-sid.log" 2>&1 || return 1
    unpack pgbouncer-new "${options[@]}" -- pgbouncer libc6 libevent-2.1-7t64 libssl3t64 libcares2 libldap2 libpam0g \
        libsystemd0 libsasl2-2 libaudit1 libcap-ng0 libcap2 libzstd1 zlib1g libgcc-s1
}

# The newest PgBouncer that can be had, as the command PGBOUNCER and its version.
have_pgbouncer() {
    local dir=$PEERS/pgbouncer-new loader
    if fetch_newer_pgbouncer; then
        loader=$(find "$dir" -name 'ld-linux*' | head -n 1)
        PGBOUNCER=("$loader" --library-path "$(dirname "$(find "$dir" -name libc.so.6)")" "$dir/usr/sbin/pgbouncer")
        PGBOUNCER_VERSION=$(as_server "${PGBOUNCER[@]}" --version 2>/dev/null | head -n 1) && [ -n "$PGBOUNCER_VERSION" ] && return 0
    fi
    fetch_pgbouncer || return 1
    dir=$PEERS/pgbouncer
    PGBOUNCER=(/usr/bin/env "LD_LIBRARY_PATH=$(dirname "$(find "$dir" -name 'libcares.so.2')")" "$dir/usr/sbin/pgbouncer")
    PGBOUNCER_VERSION=$(as_server "${PGBOUNCER[@]}" --version 2>/dev/null | head -n 1) && [ -n "$PGBOUNCER_VERSION" ]
}
