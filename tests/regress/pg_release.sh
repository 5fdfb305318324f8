# shellcheck shell=bash
#
# pg_release.sh - PostgreSQL's own test suites, and the binaries of the very same point release to run them with.
#
# Sourced after deploy/lib.sh. It owns $GILMOK_STATE/pg-release, which is made once and kept:
#
#     version          of Debian's package, such as 15.18-0+deb12u1
#     pg/              the unpacked packages; PG_LIB is the folder with bin/ and lib/ in it
#     regress/         src/test/regress, with regress.so, autoinc.so and refint.so beside it
#     isolation/       src/test/isolation
#     pipeline/        src/test/modules/libpq_pipeline, with the program
#
# Of two point releases, one for the suites and one for the server, some tests differ by themselves: hence one release
# for everything, the newest whose source and binaries both download. Nothing is installed.

PG_RELEASE=$GILMOK_STATE/pg-release
PG_TREE=$PG_RELEASE/pg
PG_LIB=$PG_TREE/usr/lib/postgresql/15
PG_RELEASE_PACKAGES="$BUILD_PACKAGES $PG_PACKAGES bzip2"
PG_FETCH_SECONDS=180 # for each call of apt; a slow mirror takes a minute for the lists
PG_SKIP=             # why there is none

# apt with lists of its own, which name the sources as well; the mirrors are those of the system.
pg_private_apt() {
    timeout "$PG_FETCH_SECONDS" apt-get -q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PG_NEW/sources" \
        -o "Dir::State::Lists=$PG_NEW/lists" -o "Dir::Cache=$PG_NEW/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}

pg_make_lists() {
    local system=/etc/apt/sources.list.d/debian.sources
    if [ -e "$system" ]; then
        sed 's/^Types:.*/Types: deb deb-src/' "$system" >"$PG_NEW/sources/debian.sources"
    else
        grep -hE '^deb .*debian' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
            sed 'p; s/^deb /deb-src /' >"$PG_NEW/sources/debian.list"
    fi
    pg_private_apt update
}

# The newest version whose source and binaries all download; of older ones the mirrors may have kept the names alone.
pg_fetch() {
    local version package packages
    cd "$PG_NEW/fetched" || return 1
    for version in $(apt-cache -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PG_NEW/sources" \
        -o "Dir::State::Lists=$PG_NEW/lists" -o "Dir::Cache=$PG_NEW/cache" madison postgresql-15 |
        awk '$NF == "Sources" { print $3 }' | sort -rVu); do
        echo "trying $version"
        packages=()
        for package in postgresql-15 postgresql-client-15 postgresql-server-dev-15 libpq5 libpq-dev; do
            packages+=("$package=$version")
        done
        if pg_private_apt source --download-only "postgresql-15=$version" && pg_private_apt download "${packages[@]}"; then
            echo "$version" >"$PG_NEW/version"
            return 0
        fi
        rm -f ./*
    done
    return 1
}

pg_unpack() {
    local deb dir include lib
    for deb in "$PG_NEW"/fetched/*.deb; do dpkg -x "$deb" "$PG_NEW/pg" || return 1; done
    mkdir "$PG_NEW/source" &&
        tar -xf "$PG_NEW"/fetched/*.orig.tar.bz2 -C "$PG_NEW/source" --strip-components=1 --wildcards \
            '*/src/test/regress/*' '*/src/test/isolation/*' '*/src/test/modules/libpq_pipeline/*' || return 1
    for dir in test/regress test/isolation test/modules/libpq_pipeline; do
        mv "$PG_NEW/source/src/$dir" "$PG_NEW/${dir##*[/_]}" || return 1
    done
    include=$PG_NEW/pg/usr/include/postgresql
    lib=$PG_NEW/pg/usr/lib/postgresql/15/lib
    gcc -O1 -w -shared -fPIC "-I$include/15/server" -o "$PG_NEW/regress/regress.so" "$PG_NEW/regress/regress.c" &&
        cp "$lib"/{autoinc,refint}.so "$PG_NEW/regress/" &&
        gcc -O1 -w "-I$include" "-I$include/15/server" "-I$include/internal" -o "$PG_NEW/pipeline/libpq_pipeline" \
            "$PG_NEW/pipeline/libpq_pipeline.c" "-L$(dirname "$(find "$PG_NEW/pg/usr/lib" -name libpq.so)")" \
            "-L$lib" "-L$(dirname "$(find "$PG_NEW/pg/usr/lib" -name libpgport.a)")" -lpq -lpgcommon -lpgport &&
        rm -rf "$PG_NEW/source" "$PG_NEW/fetched" "$PG_NEW/lists" "$PG_NEW/cache" "$PG_NEW/sources"
}

pg_make() { # LOG
    PG_NEW=$PG_RELEASE.new
    rm -rf "$PG_NEW"
    mkdir -p "$PG_NEW"/{lists/partial,cache/archives/partial,sources,fetched,pg} || return 1
    run_logged "reading Debian's lists" "$1" pg_make_lists || { PG_SKIP="the package lists cannot be had"; return 1; }
    run_logged "fetching PostgreSQL's source and binaries" "$1" pg_fetch ||
        { PG_SKIP="PostgreSQL's source package cannot be had"; return 1; }
    run_logged "unpacking PostgreSQL $(cat "$PG_NEW/version")" "$1" pg_unpack ||
        die "the source package is not as expected: see $1"
    cksum <"$TREE/tests/regress/pg_release.sh" >"$PG_NEW/made-by"
    rm -rf "$PG_RELEASE"
    mv "$PG_NEW" "$PG_RELEASE"
}

# have_pg_release: true when all of it is there; otherwise PG_SKIP says why not. Who comes second waits for the first.
have_pg_release() {
    local status=0
    # shellcheck disable=SC2086
    need_packages $PG_RELEASE_PACKAGES || { PG_SKIP="packages are missing"; return 1; }
    exec 7>"$PG_RELEASE.lock"
    flock 7
    if [ "$(cat "$PG_RELEASE/made-by" 2>/dev/null)" != "$(cksum <"$TREE/tests/regress/pg_release.sh")" ]; then
        pg_make "$GILMOK_STATE/log/pg-release.log" || status=1
        rm -rf "$PG_RELEASE.new"
    fi
    exec 7>&-
    PG_RELEASE_VERSION=$(cat "$PG_RELEASE/version" 2>/dev/null)
    # psql and its kin find the libpq of their own release.
    PG_LIBPQ=$(dirname "$(find "$PG_TREE/usr/lib" -name libpq.so.5 2>/dev/null)" 2>/dev/null)
    return "$status"
}
