# shellcheck shell=bash disable=SC2154
#
# mariadb.sh - the sandbox's MariaDB servers: how they are made, started, asked and stopped; and MySQL's, by mysqld.sh.
#
# Sourced by `sandbox`, whose DIR, SOCKET_DIR, LAYOUT, ports and passwords it uses. A server NAME has its data in DIR/NAME, its
# socket at SOCKET_DIR/NAME.sock, its settings in DIR/NAME.cnf and nowhere else: the machine's own /etc/mysql is not read.

mariadb_names() { if [ "$LAYOUT" = mysql-replicas ]; then echo primary replica1 replica2; else echo primary; fi; }

# MariaDB counts servers by a number; a replica refuses a primary that has its own.
write_mariadb_conf() { # NAME PORT NUMBER
    local read_only=OFF
    [ "$1" = primary ] || read_only=ON
    {
        if names_mysqld; then mysqld_lines "$@" "$read_only"; else mariadb_lines "$@" "$read_only"; fi
        printf '%s\n' "${SANDBOX_MY_CONF_EXTRA:-}"
    } | write_for_server "$DIR/$1.cnf" 644
}

mariadb_lines() { # NAME PORT NUMBER READ_ONLY
    cat <<END
[mariadbd]
datadir = $DIR/$1
socket = $SOCKET_DIR/$1.sock
pid-file = $DIR/$1.pid
log-error = $DIR/log/$1.log
bind-address = 127.0.0.1
port = $2
skip-name-resolve
max_connections = 300
performance_schema = OFF
innodb_buffer_pool_size = 32M
innodb_log_file_size = 16M
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = 0
sync_binlog = 0
server-id = $3
log-bin = $DIR/$1/bin
relay-log = $DIR/$1/relay
binlog_format = ROW
log_slave_updates = ON
gtid_strict_mode = ON
read_only = $4
slave_net_timeout = 10
END
}

# Every server does this by itself as it starts for the first time, before anybody can connect, and writes none of it to its
# binlog. The application may do everything in its own database, and nothing elsewhere: a user with all privileges on *.* has
# READ ONLY ADMIN among them, and would write on a replica.
write_mariadb_users() {
    if names_mysqld; then mysqld_users; else mariadb_users; fi | write_for_server "$DIR/init.sql" 600 || return 1
    write_for_server "$DIR/superuser.cnf" 600 <<END
[client]
user = root
password = $SUPERUSER_PASSWORD
END
}

mariadb_users() {
    cat <<END
set sql_log_bin = 0;
delete from mysql.global_priv where User = '' or (User = 'root' and Host <> 'localhost');
delete from mysql.proxies_priv where Host <> 'localhost';
flush privileges;
alter user root@'localhost' identified via mysql_native_password using password('$SUPERUSER_PASSWORD');
create user repl@'127.0.0.1' identified via mysql_native_password using password('$REPLICATION_PASSWORD');
grant replication slave on *.* to repl@'127.0.0.1';
create user $APP_USER@'127.0.0.1' identified via mysql_native_password using password('$APP_PASSWORD');
create user $APP_USER@'localhost' identified via mysql_native_password using password('$APP_PASSWORD');
create database $APP_DB character set utf8mb4;
grant all on $APP_DB.* to $APP_USER@'127.0.0.1', $APP_USER@'localhost';
END
}

# Its stdin is SQL: a password on a command line can be seen by everybody.
mariadb_superuser() { # NAME
    mariadb --defaults-file="$DIR/superuser.cnf" --no-auto-rehash -N -B -S "$SOCKET_DIR/$1.sock"
}

init_mariadb() {
    if names_mysqld; then
        init_mysqld
        return
    fi
    as_server mariadb-install-db --defaults-file="$DIR/primary.cnf" --auth-root-authentication-method=normal --skip-test-db \
        --skip-name-resolve
}

mariadb_is_ours() { # NAME PID: the server that was started from this folder, not somebody who was given an old pid
    [ -n "$2" ] && [ -r "/proc/$2/cmdline" ] &&
        { tr '\0' '\n' <"/proc/$2/cmdline"; } 2>/dev/null | grep -qxF -- "--defaults-file=$DIR/$1.cnf"
}

# A session of its own: the terminal's ^C is not for it, and it outlives the script.
start_mariadb() { # NAME [OPTION]
    local name=$1 pid i
    shift
    as_server touch "$DIR/log/$name.log" || return 1
    (cd / && AS_SERVER_EXEC=1 && as_server setsid "${GILMOK_MYSQLD:-mariadbd}" --defaults-file="$DIR/$name.cnf" "$@") \
        </dev/null >>"$DIR/log/$name.log" 2>&1 &
    pid=$!
    echo "$pid" >"$DIR/$name.started"
    for i in $(seq 1 300); do
        if [ -S "$SOCKET_DIR/$name.sock" ] && mariadb_superuser "$name" <<<"do 1" 2>/dev/null; then return 0; fi
        kill -0 "$pid" 2>/dev/null || [ -e "$DIR/$name.pid" ] || break
        sleep 0.1
    done
    echo "the server $name did not start:"
    tail -n 20 "$DIR/log/$name.log"
    return 1
}

# It has no GTID yet, so it replays the primary from its first binlog.
follow_primary() { # NAME
    if names_mysqld; then
        follow_mysqld "$1"
        return
    fi
    mariadb_superuser "$1" <<END
change master to master_host = '127.0.0.1', master_port = $PRIMARY_PORT, master_user = 'repl',
    master_password = '$REPLICATION_PASSWORD', master_use_gtid = slave_pos, master_connect_retry = 1;
start slave;
END
}

mariadb_follows() { # NAME
    if names_mysqld; then
        mysqld_follows "$1"
        return
    fi
    mariadb_superuser "$1" <<<"show global status like 'Slave_running'" | grep -q 'ON$'
}

wait_for_mariadb_replicas() {
    local i
    for i in $(seq 1 150); do
        if mariadb_follows replica1 && mariadb_follows replica2; then return 0; fi
        sleep 0.2
    done
    echo "after 30 s the two replicas do not follow the primary yet"
    tail -n 5 "$DIR"/log/replica?.log
    return 1
}

# One that has never run is the same for all: copying is faster than making three.
up_mariadb() {
    local name number=0 port pid pids=()
    write_mariadb_users || return 1
    for name in $(mariadb_names); do
        number=$((number + 1)) port=${name^^}_PORT
        write_mariadb_conf "$name" "${!port}" "$number" || return 1
    done
    init_mariadb || return 1
    for name in $(mariadb_names); do
        [ "$name" = primary ] || as_server cp -a "$DIR/primary" "$DIR/$name" || return 1
        rm -f "$DIR/$name/auto.cnf" # a server of MySQL's makes itself another identity
    done
    for name in $(mariadb_names); do start_mariadb "$name" --init-file="$DIR/init.sql" & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid" || return 1; done
    rm -f "$DIR/init.sql"
    [ "$LAYOUT" = mysql-replicas ] || return 0
    follow_primary replica1 && follow_primary replica2 && wait_for_mariadb_replicas
}

stop_mariadb() { # NAME
    local pid i
    # A test may have restarted it: the pid file knows better than our own note.
    for pid in $(cat "$DIR/$1.pid" 2>/dev/null) $(cat "$DIR/$1.started" 2>/dev/null); do
        mariadb_is_ours "$1" "$pid" || continue
        kill -TERM "$pid" 2>/dev/null
        for i in $(seq 1 100); do
            mariadb_is_ours "$1" "$pid" || continue 2
            sleep 0.1
        done
        complain "the server $1 ($pid) did not stop within 10 s of SIGTERM; killing it"
        kill -KILL "$pid" 2>/dev/null
        for i in $(seq 1 50); do
            mariadb_is_ours "$1" "$pid" || break
            sleep 0.1
        done
    done
    rm -f "$DIR/$1.cnf" "$DIR/$1.pid" "$DIR/$1.started" "${SOCKET_DIR:-$DIR}/$1.sock"
}
