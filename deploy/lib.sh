# shellcheck shell=bash
#
# lib.sh - what quickstart, sandbox, tests/run and tests/fresh share: speaking, installing, building, ports, users.
#
# Sourced by bash. It owns the folder $GILMOK_STATE (builds, sandboxes, logs) and writes nowhere else, except through
# apt. It knows nothing of what the servers are used for.

set -u -o pipefail
export LC_ALL=C.UTF-8 # the caller's LANG may name a locale that is not generated here
unset LANGUAGE
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
umask 022
for var in $(compgen -v PG); do # a PGHOST or PGSERVICE of the caller must not lead our clients elsewhere
    case $var in PG[A-Z]*) unset "$var" ;; esac
done
unset var

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P) || exit 1
ME=$(id -u)
# Short, because the path of a unix socket ends at 107 bytes; outside the tree, because the tree may be read-only, or
# lie where the servers' user cannot enter.
GILMOK_STATE=${GILMOK_STATE:-/var/tmp/gilmok-$ME}
PG_BIN=/usr/lib/postgresql/15/bin

BUILD_PACKAGES="gcc libc6-dev meson ninja-build pkgconf libevent-dev libinih-dev libc-ares-dev libssl-dev libsodium-dev libldap-dev libpam0g-dev libpq-dev zlib1g-dev libzstd-dev"
PG_PACKAGES="postgresql-15 postgresql-client-15"
MARIADB_PACKAGES="mariadb-server-core mariadb-client-core"

# ---- speaking --------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
complain() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    complain "$@"
    exit 1
}

# run_logged TITLE LOG COMMAND...: the command's output goes to LOG; the terminal sees the title, a dot every two
# seconds and how long it took. When it fails, the end of the log is shown and its status returned.
run_logged() {
    local title=$1 log=$2 pid status=0 start=$SECONDS next=$((SECONDS + 2))
    shift 2
    printf '%s ' "$title"
    # A process group of its own, so that an aborted run can end all of it; unless we are part of such a group.
    [ -n "${NESTED:-}" ] || set -m
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    RUNNING=${RUN_TO_END:-$pid}
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.2
        if [ "$SECONDS" -ge "$next" ]; then
            printf '.'
            next=$((SECONDS + 2))
        fi
    done
    wait "$pid" || status=$?
    RUNNING=
    if [ "$status" -eq 0 ]; then
        printf ' done (%d s)\n' $((SECONDS - start))
    else
        printf ' FAILED (status %d after %d s)\n' "$status" $((SECONDS - start))
        tail -n 25 "$log" | sed 's/^/    /'
        say "    (whole log: $log)"
    fi
    return "$status"
}

# For exit traps: ends the command that run_logged waits for. An installation under way is left to end by itself.
kill_running() {
    if [ -n "${RUNNING:-}" ] && [ "$RUNNING" != no ]; then
        kill -TERM -- "-$RUNNING" 2>/dev/null
        local i
        for i in $(seq 1 150); do
            kill -0 -- "-$RUNNING" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$RUNNING" 2>/dev/null
        wait "$RUNNING" 2>/dev/null
    fi
    RUNNING=
}

# ---- the state folder and limits -------------------------------------------------------------------------------------

# /var/tmp is open to everybody: a folder of that name which is not ours is refused, not used.
init_state() {
    if [ ! -e "$GILMOK_STATE" ] && ! mkdir -p -m 755 "$GILMOK_STATE"; then
        die "cannot create $GILMOK_STATE; set GILMOK_STATE to a folder you can write (a short path)"
    fi
    if [ -L "$GILMOK_STATE" ] || [ ! -d "$GILMOK_STATE" ] || [ ! -O "$GILMOK_STATE" ]; then
        die "$GILMOK_STATE exists but is not a folder of user $ME; remove it, or set GILMOK_STATE to another path"
    fi
    mkdir -p "$GILMOK_STATE/log" "$GILMOK_STATE/ports" || exit 1
    raise_limits
}

# Soft descriptor limits of 1024 are too few for a proxy. More than 64 Ki would only make programs that close all
# descriptors slow.
raise_limits() {
    local hard want=65536
    hard=$(ulimit -Hn)
    if [ "$hard" != unlimited ] && [ "$hard" -lt "$want" ]; then want=$hard; fi
    ulimit -Sn "$want" 2>/dev/null || true
}

# ---- users -----------------------------------------------------------------------------------------------------------

# PostgreSQL refuses to run as root: servers and gilmok run as `postgres` then, else as the caller.
server_user() {
    if [ "$ME" -eq 0 ]; then echo postgres; else id -un 2>/dev/null || echo "$ME"; fi
}

# as_server COMMAND...: becomes the command when it is a simple background job, so that $! is the server's pid.
as_server() {
    if [ "$ME" -eq 0 ]; then
        exec_or_run setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all -- \
            env HOME=/var/lib/postgresql USER=postgres LOGNAME=postgres "$@"
    else
        exec_or_run "$@"
    fi
}
exec_or_run() { if [ -n "${AS_SERVER_EXEC:-}" ]; then exec "$@"; else "$@"; fi; }

random_password() { od -An -N18 -tx1 /dev/urandom | tr -d ' \n'; }

# ---- packages --------------------------------------------------------------------------------------------------------

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

CLUSTER_DROPIN=/etc/postgresql-common/createcluster.d/gilmok.conf
POLICY=/usr/sbin/policy-rc.d POLICY_MARK="made by gilmok for one installation"

# Packages start their services when they are installed, unless a policy-rc.d forbids it. A machine's own is left as it
# is. Ours goes with the shell that made it, and forbids nothing without it: what a killed installation leaves does no
# harm, and the next one removes it. The lock keeps installations side by side from relying on each other's.
policy_line() {
    printf 'exec 9</var/lib/dpkg; flock 9; if grep -qs "%s" %s; then rm -f %s; fi; ' "$POLICY_MARK" "$POLICY" "$POLICY"
    printf 'if (set -C; printf "#!/bin/sh\\n# %s\\nkill -0 $$ 2>/dev/null || exit 0\\nexit 101\\n" >%s) 2>/dev/null; then ' \
        "$POLICY_MARK" "$POLICY"
    printf 'trap "rm -f %s" EXIT; trap "exit 1" HUP INT TERM; chmod 755 %s; fi; ' "$POLICY" "$POLICY"
}

# What root has to run. Debian's postgresql-15 would otherwise create and start a server of its own on port 5432.
install_line() {
    printf 'set -e; export DEBIAN_FRONTEND=noninteractive; '
    case " $* " in *" postgresql-15 "*)
        printf 'mkdir -p %s; echo "create_main_cluster = off" >%s; ' "${CLUSTER_DROPIN%/*}" "$CLUSTER_DROPIN" ;;
    esac
    printf 'apt-get -o DPkg::Lock::Timeout=120 update; '
    policy_line
    printf 'apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends %s' "$*"
    # Nor is it to start with the machine.
    case " $* " in *" prometheus-pgbouncer-exporter "*) printf '; update-rc.d prometheus-pgbouncer-exporter disable' ;; esac
    case " $* " in *" slapd "*) printf '; update-rc.d slapd disable' ;; esac
    # mariadb-test brings along the package that has the service; a machine that had it before keeps it as it is.
    case " $* " in *" mariadb-test "*)
        if [ -n "$(missing_packages mariadb-server)" ]; then printf '; update-rc.d mariadb disable'; fi ;;
    esac
}

# apt waits for dpkg's lock, but not for the one on its lists, which somebody's unattended upgrade may hold.
run_patiently() {
    local out i
    for i in $(seq 1 24); do
        if out=$("$@" 2>&1); then
            printf '%s\n' "$out"
            return 0
        fi
        printf '%s\n' "$out"
        grep -q 'Could not get lock' <<<"$out" || return 1
        sleep 5
    done
    return 1
}

# need_packages NAME...: installs those that are missing; returns false, with the exact line to run, when it cannot.
need_packages() {
    local missing line as=()
    missing=$(missing_packages "$@")
    missing=${missing% }
    [ -z "$missing" ] && return 0
    # shellcheck disable=SC2086
    line=$(install_line $missing)
    if [ "$ME" -ne 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
            as=(sudo)
        else
            complain "these packages are missing: $missing"
            complain "you are neither root nor allowed to use sudo; have root run this line, then start again:"
            printf "\n    su -c '%s'\n\n" "$line" >&2
            return 1
        fi
    fi
    RUN_TO_END=no run_logged "installing $missing" "$GILMOK_STATE/log/apt.log" run_patiently ${as[@]+"${as[@]}"} sh -c "$line"
}

# ---- building --------------------------------------------------------------------------------------------------------

# Builds never happen inside the tree, which may belong to somebody else; each tree has builds of its own.
build_root() { echo "$GILMOK_STATE/build-$(printf %s "$TREE" | cksum | cut -d' ' -f1)"; }

# build_with NAME TARGETS OPTION...: configures (once) and compiles the build called NAME. BUILD_DIR is where.
build_with() {
    local name=$1 targets=$2 log
    shift 2
    BUILD_DIR=$(build_root)/$name
    log=$GILMOK_STATE/log/build-$name.log
    mkdir -p "$(build_root)" || return 1
    # Two runs may ask for the same build at once.
    run_logged "building gilmok ($name)" "$log" \
        flock "$(build_root)/$name.lock" bash -c '
            tree=$1 dir=$2 targets=$3; shift 3
            if [ "$(cat "$dir.options" 2>/dev/null)" != "${CC-} $*" ] || [ ! -e "$dir/build.ninja" ]; then
                rm -rf "$dir" && meson setup "$@" "$dir" "$tree" && echo "${CC-} $*" >"$dir.options" || exit 1
            fi
            # shellcheck disable=SC2086
            ninja -C "$dir" $targets' build "$TREE" "$BUILD_DIR" "$targets" "$@"
}

# The release binary, as a user builds it. GILMOK_BIN is where.
build_release() {
    build_with release "" -Dbuildtype=release -Db_lto=true || return 1
    GILMOK_BIN=$BUILD_DIR/proxy/gilmok
    [ -x "$GILMOK_BIN" ] || { complain "the build made no $GILMOK_BIN"; return 1; }
}

# ---- ports -----------------------------------------------------------------------------------------------------------

port_is_listening() { # PORT, or the decimal port of any listener in /proc/net/tcp; needs neither ss nor netstat
    local hex
    hex=$(printf ':%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v hex="$hex" '$4 == "0A" && substr($2, length($2) - 4) == hex { found = 1 } END { exit !found }'
}

# Reservations are known within one state folder only: others begin elsewhere, or a server that is down for a moment would find
# its port taken by a stranger.
first_port() { # first_port FIRST
    local apart=0
    [ "$GILMOK_STATE" = "/var/tmp/gilmok-$ME" ] || apart=$((1 + $(cksum <<<"$GILMOK_STATE" | cut -d' ' -f1) % 80))
    echo $(($1 + 100 * apart))
}

is_holding() { # HOLDER of a port: a script that lives, or the folder of a sandbox that is up
    case $1 in
    "") return 1 ;;
    /*) [ -e "$1/socket_dir" ] ;;
    *) [ -e "/proc/$1" ] ;;
    esac
}

# take_ports COUNT FIRST: prints COUNT ports, the first free ones from FIRST or so. They are reserved while this script lives, or
# for as long as keep_ports says; a lock keeps sandboxes that start side by side apart.
take_ports() {
    local owner=$$
    (
        flock 9 || exit 1
        count=$1 port=$(first_port "$2")
        while [ "$count" -gt 0 ]; do
            [ "$port" -le 65535 ] || exit 1
            holder=$(cat "$GILMOK_STATE/ports/$port" 2>/dev/null || true)
            if ! port_is_listening "$port" && ! is_holding "$holder"; then
                echo "$owner" >"$GILMOK_STATE/ports/$port"
                echo "$port"
                count=$((count - 1))
            fi
            port=$((port + 1))
        done
    ) 9>"$GILMOK_STATE/ports/lock"
}

keep_ports() { # DIR: this script's reservations are the sandbox's in there, whose servers may be down for a moment
    local file
    for file in "$GILMOK_STATE"/ports/[0-9]*; do
        [ "$(cat "$file" 2>/dev/null)" != "$$" ] || echo "$1" >"$file"
    done
    return 0
}

give_ports() { # gives this script's reservations back
    local file
    for file in "$GILMOK_STATE"/ports/[0-9]*; do
        [ "$(cat "$file" 2>/dev/null)" = "$$" ] && rm -f "$file"
    done
    return 0
}
