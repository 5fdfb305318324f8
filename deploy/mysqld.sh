# shellcheck shell=bash disable=SC2154
#
# mysqld.sh - what is said otherwise to a server of MySQL's than to MariaDB's: settings, users, the first start, replication.
#
# Sourced by `sandbox` behind mariadb.sh, whose functions call these where GILMOK_MYSQLD names a server's program. That takes a
# server's options, --defaults-file= the first of them; it may be a script that adds what its installation needs (--basedir=).

names_mysqld() { [ -n "${GILMOK_MYSQLD:-}" ]; }

find_mysqld() {
    GILMOK_MYSQLD=$(readlink -e "$GILMOK_MYSQLD") && [ -x "$GILMOK_MYSQLD" ] || die "GILMOK_MYSQLD names no program"
    as_server test -x "$GILMOK_MYSQLD" || die "$GILMOK_MYSQLD cannot be reached by user $(server_user), who runs the servers"
    export GILMOK_MYSQLD
}

mysqld_lines() { # NAME PORT NUMBER READ_ONLY
    cat <<END
[mysqld]
datadir = $DIR/$1
tmpdir = $DIR
socket = $SOCKET_DIR/$1.sock
pid-file = $DIR/$1.pid
log-error = $DIR/log/$1.log
bind-address = 127.0.0.1
port = $2
mysqlx = OFF
skip-name-resolve
max_connections = 300
secure_file_priv =
innodb_buffer_pool_size = 32M
innodb_redo_log_capacity = 32M
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = OFF
sync_binlog = 0
server-id = $3
log-bin = $DIR/$1/bin
relay-log = $DIR/$1/relay
gtid_mode = ON
enforce_gtid_consistency = ON
read_only = $4
replica_net_timeout = 10
END
}

# As the users of MariaDB; here all of them log in by caching_sha2_password.
mysqld_users() {
    cat <<END
set sql_log_bin = 0;
alter user root@'localhost' identified by '$SUPERUSER_PASSWORD';
create user repl@'127.0.0.1' identified by '$REPLICATION_PASSWORD';
grant replication slave on *.* to repl@'127.0.0.1';
create user $APP_USER@'127.0.0.1' identified by '$APP_PASSWORD';
create user $APP_USER@'localhost' identified by '$APP_PASSWORD';
create database $APP_DB character set utf8mb4;
grant all on $APP_DB.* to $APP_USER@'127.0.0.1', $APP_USER@'localhost';
END
}

init_mysqld() { as_server "$GILMOK_MYSQLD" --defaults-file="$DIR/primary.cnf" --initialize-insecure; }

follow_mysqld() { # NAME
    mariadb_superuser "$1" <<END
change replication source to source_host = '127.0.0.1', source_port = $PRIMARY_PORT, source_user = 'repl',
    source_password = '$REPLICATION_PASSWORD', source_auto_position = 1, source_connect_retry = 1, get_source_public_key = 1;
start replica;
END
}

mysqld_follows() { # NAME
    mariadb_superuser "$1" <<<"select service_state from performance_schema.replication_connection_status" | grep -qx ON
}
