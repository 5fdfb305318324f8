/*
 * config_keys.c - owns the table of keys; knows no files and no checks between keys.
 */
#include "proxy/config_keys.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "proxy/config_value.h"

/* tests/style/log_areas.py compares them with what log_line() gets. */
static const char *const log_areas[] = {"config", "console", "control", "invariant", "log", "net",
                                        "pool",   "serve",   "session", "topology",  "worker",  NULL};
static const char *const format_words[] = {"text", "json", NULL};
static const char *const auth_words[] = {"scram-sha-256", "md5", "password", "cert", "peer", "trust", NULL};
static const char *const server_auth_words[] = {"scram-sha-256", "md5", "password", NULL};
static const char *const channel_binding_words[] = {"disable", "prefer", "require", NULL};
static const char *const client_tls_words[] = {"disable", "allow", "require", NULL};
static const char *const mysql_compression_words[] = {"off", "on", "zlib", "zstd", NULL};
static const char *const client_cert_words[] = {"optional", "required", NULL};
static const char *const tls_version_words[] = {"1.2", "1.3", NULL};
static const char *const server_tls_words[] = {"disable", "require", "verify-ca", "verify-full", NULL};
static const char *const protocol_words[] = {"postgresql", "mysql", NULL};
static const char *const unknown_effects_words[] = {"probe", "pin", "trust", NULL};
static const char *const listen_words[] = {"pin", "shared", NULL};
static const char *const session_sequences_words[] = {"refuse", "pin", NULL};
static const char *const begin_words[] = {"auto", "held", "eager", NULL};
static const char *const consistency_words[] = {"eventual", "session", "global", "strong", NULL};
static const char *const stickiness_words[] = {"statement", "session", NULL};
static const char *const balance_words[] = {"least-outstanding", "round-robin", "latency", NULL};
static const char *const feed_words[] = {"streaming", "logical", NULL};
static const char *const role_words[] = {"primary", "replica", "prefer-replica", "any", NULL};
static const char *const pool_mode_words[] = {"session", "transaction", "statement", NULL};

/* The words stand in the order of the enums, which are stored as ints. */
static_assert(LOG_TEXT == 0 && LOG_JSON == 1, "order of words");
static_assert(CLIENT_TLS_DISABLE == 0 && CLIENT_TLS_REQUIRE == 2 && SERVER_TLS_DISABLE == 0 && SERVER_TLS_VERIFY_FULL == 3 &&
              TLS_MIN_1_2 == 0 && TLS_MIN_1_3 == 1, "order of words");
static_assert(AUTH_SCRAM == 0 && AUTH_MD5 == 1 && AUTH_PASSWORD == 2 && AUTH_CERT == 3 &&
              AUTH_PEER == 4 && AUTH_TRUST == 5, "order of words");
static_assert(SERVER_AUTH_SCRAM == 0 && SERVER_AUTH_MD5 == 1 && SERVER_AUTH_PASSWORD == 2, "order of words");
static_assert(CHANNEL_BINDING_DISABLE == 0 && CHANNEL_BINDING_PREFER == 1 && CHANNEL_BINDING_REQUIRE == 2, "order of words");
static_assert(SESSION_SEQUENCES_REFUSE == 0 && SESSION_SEQUENCES_PIN == 1, "order of words");
static_assert(ROLE_PRIMARY == 0 && ROLE_REPLICA == 1 && ROLE_PREFER_REPLICA == 2 && ROLE_ANY == 3, "order of words");
static_assert(FEED_STREAMING == 0 && FEED_LOGICAL == 1 && sizeof(enum node_feed) == sizeof(int), "order of words");
static_assert(STICKY_STATEMENT == 0 && STICKY_SESSION == 1, "order of words");
static_assert(BALANCE_LEAST_OUTSTANDING == 0 && BALANCE_ROUND_ROBIN == 1 && BALANCE_LATENCY == 2, "order of words");
static_assert(UNKNOWN_EFFECTS_PROBE == 0 && UNKNOWN_EFFECTS_PIN == 1 && UNKNOWN_EFFECTS_TRUST == 2, "order of words");
static_assert(POOL_SESSION == 0 && POOL_TRANSACTION == 1 && POOL_STATEMENT == 2, "order of words");
static_assert(PROTO_POSTGRESQL == 0 && PROTO_MYSQL == 1, "order of words");
static_assert(sizeof(enum pool_mode) == sizeof(int) &&
              sizeof(enum log_format) == sizeof(int) && sizeof(enum proto_kind) == sizeof(int), "enums are ints");

#define GILMOK(member) offsetof(struct config_draft_gilmok, member)
#define CLUSTER(member) offsetof(struct config_draft_cluster, member)
#define NODE(member) offsetof(struct config_draft_node, member)
#define DATABASE(member) offsetof(struct config_draft_database, member)
#define USER(member) offsetof(struct config_draft_user, member)
#define PEER(member) offsetof(struct config_draft_peer, member)
#define RELOAD CHANGE_BY_RELOAD
#define RESTART CHANGE_BY_RESTART
#define DAY UINT64_C(86400000)
#define LONGEST (30 * DAY)
#define LONGEST_S (UINT64_C(32767) * 1000) /* Linux's limit for keepalive times */

/* tests/style/config_docs.py reads these rows: one line each. */
/* clang-format off */
const struct config_key config_keys[] = {
    {CONFIG_GILMOK, "listen", KEY_LISTENS, "127.0.0.1:6432", 0, 0, NULL, GILMOK(config.listens), RESTART, "addresses that clients connect to"},
    {CONFIG_GILMOK, "listen_mysql", KEY_LISTENS, "", 0, 0, NULL, GILMOK(config.listens_mysql), RESTART, "addresses that MySQL's clients connect to"},
    {CONFIG_GILMOK, "mysql_server_version", KEY_TEXT, "5.5.5-10.11.0-MariaDB", 0, 0, NULL, GILMOK(config.mysql_server_version), RELOAD, "the version that they are greeted with"},
    {CONFIG_GILMOK, "mysql_local_infile", KEY_BOOL, "on", 0, 0, NULL, GILMOK(config.mysql_local_infile), RELOAD, "servers get the files that LOAD DATA LOCAL names"},
    {CONFIG_GILMOK, "mysql_compression", KEY_WORD, "on", 0, 0, mysql_compression_words, GILMOK(config.mysql_compression), RELOAD, "the compression that they are offered"},
    {CONFIG_GILMOK, "client_auth", KEY_WORD, "scram-sha-256", 0, 0, auth_words, GILMOK(config.client_auth), RELOAD, "how clients prove who they are"},
    {CONFIG_GILMOK, "client_auth_socket", KEY_WORD, "", 0, 0, auth_words, GILMOK(client_auth_socket), RELOAD, "the same for clients on unix sockets"},
    {CONFIG_GILMOK, "hba_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.hba_file), RELOAD, "rules that say who may log in from where, and how"},
    {CONFIG_GILMOK, "ident_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.ident_file), RELOAD, "name maps for these rules"},
    {CONFIG_GILMOK, "pam_directory", KEY_PATH, "", 0, 0, NULL, GILMOK(config.pam_directory), RELOAD, "where PAM's service files are"},
    {CONFIG_GILMOK, "auth_threads", KEY_NUMBER, "4", 1, 64, NULL, GILMOK(config.auth_threads), RELOAD, "threads that ask LDAP servers, and as many for PAM"},
    {CONFIG_GILMOK, "proxy_protocol_from", KEY_ADDRS, "", 0, 0, NULL, GILMOK(proxy_protocol_from), RELOAD, "proxies that say whose connection they pass on"},
    {CONFIG_GILMOK, "user_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.user_file), RELOAD, "the list of users and their secrets"},
    {CONFIG_GILMOK, "client_tls", KEY_WORD, "disable", 0, 0, client_tls_words, GILMOK(config.client_tls), RELOAD, "whether clients get TLS"},
    {CONFIG_GILMOK, "client_tls_cert_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.client_tls_cert_file), RELOAD, "our certificate, and those between it and its root"},
    {CONFIG_GILMOK, "client_tls_key_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.client_tls_key_file), RELOAD, "the certificate's private key"},
    {CONFIG_GILMOK, "client_tls_ca_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.client_tls_ca_file), RELOAD, "who may issue certificates of clients"},
    {CONFIG_GILMOK, "client_tls_cert", KEY_WORD, "optional", 0, 0, client_cert_words, GILMOK(client_tls_cert), RELOAD, "whether a client must show a certificate"},
    {CONFIG_GILMOK, "client_tls_min_version", KEY_WORD, "1.2", 0, 0, tls_version_words, GILMOK(config.client_tls_min_version), RELOAD, "the oldest TLS version for clients"},
    {CONFIG_GILMOK, "client_tls_ciphers", KEY_TEXT, "", 0, 0, NULL, GILMOK(config.client_tls_ciphers), RELOAD, "cipher suites for TLS 1.2"},
    {CONFIG_GILMOK, "admin_users", KEY_NAMES, "", 0, 0, NULL, GILMOK(config.admin_users), RELOAD, "users that may use every console command"},
    {CONFIG_GILMOK, "stats_users", KEY_NAMES, "", 0, 0, NULL, GILMOK(config.stats_users), RELOAD, "users that may use SHOW in the console"},
    {CONFIG_GILMOK, "workers", KEY_NUMBER, "1", 1, 64, NULL, GILMOK(config.workers), RESTART, "threads that serve clients"},
    {CONFIG_GILMOK, "rebalance", KEY_DURATION, "20ms", 1, 60000, NULL, GILMOK(config.rebalance_ms), RELOAD, "a client that waits longer may go to another worker"},
    {CONFIG_GILMOK, "instance", KEY_NUMBER, "0", 0, 65535, NULL, GILMOK(config.instance), RESTART, "number of this gilmok among its peers"},
    {CONFIG_GILMOK, "zone", KEY_TEXT, "", 0, 0, NULL, GILMOK(config.zone), RELOAD, "where gilmok runs: reads prefer nodes there"},
    {CONFIG_GILMOK, "max_client_conn", KEY_NUMBER, "1000", 1, 1000000, NULL, GILMOK(config.max_client_conn), RELOAD, "client connections at the same time"},
    {CONFIG_GILMOK, "max_server_conn", KEY_NUMBER, "0", 0, 1000000, NULL, GILMOK(config.max_server_conn), RELOAD, "server connections in all"},
    {CONFIG_GILMOK, "max_login_conn", KEY_NUMBER, "200", 1, 1000000, NULL, GILMOK(config.max_login_conn), RELOAD, "connections that have not logged in yet"},
    {CONFIG_GILMOK, "login_timeout", KEY_DURATION, "15s", 1, LONGEST, NULL, GILMOK(config.login_timeout_ms), RELOAD, "time a client has to log in"},
    {CONFIG_GILMOK, "client_idle_timeout", KEY_DURATION, "0", 0, LONGEST, NULL, GILMOK(config.client_idle_timeout_ms), RELOAD, "a client that is silent for longer is disconnected"},
    {CONFIG_GILMOK, "inspect_limit", KEY_SIZE, "32kB", 1 << 10, 60 << 10, NULL, GILMOK(config.inspect_limit), RELOAD, "the longest statement to prepare that gilmok keeps"},
    {CONFIG_GILMOK, "drain_timeout", KEY_DURATION, "1min", 1, LONGEST, NULL, GILMOK(config.drain_timeout_ms), RELOAD, "time that running transactions get at shutdown"},
    {CONFIG_GILMOK, "stats_period", KEY_DURATION, "1min", 100, DAY, NULL, GILMOK(config.stats_period_ms), RELOAD, "what the averages in SHOW STATS are over"},
    {CONFIG_GILMOK, "tcp_keepalive_idle", KEY_SECONDS, "1min", 1000, LONGEST_S, NULL, GILMOK(config.tcp_keepalive_idle_s), RELOAD, "silence before the first TCP keepalive probe"},
    {CONFIG_GILMOK, "tcp_keepalive_interval", KEY_SECONDS, "10s", 1000, LONGEST_S, NULL, GILMOK(config.tcp_keepalive_interval_s), RELOAD, "time between TCP keepalive probes"},
    {CONFIG_GILMOK, "tcp_keepalive_count", KEY_NUMBER, "3", 1, 127, NULL, GILMOK(config.tcp_keepalive_count), RELOAD, "unanswered probes before the peer counts as gone"},
    {CONFIG_GILMOK, "tcp_user_timeout", KEY_DURATION, "0", 0, LONGEST, NULL, GILMOK(config.tcp_user_timeout_ms), RELOAD, "time that sent data may stay unacknowledged"},
    {CONFIG_GILMOK, "log_level", KEY_LEVELS, "info", 0, 0, log_areas, GILMOK(config.log_levels), RELOAD, "the least important lines that are logged"},
    {CONFIG_GILMOK, "log_format", KEY_WORD, "text", 0, 0, format_words, GILMOK(config.log_format), RELOAD, "lines for people or for programs"},
    {CONFIG_GILMOK, "log_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.log_file), RELOAD, "where to log instead of standard error"},
    {CONFIG_GILMOK, "dns_servers", KEY_TEXT, "", 0, 0, NULL, GILMOK(config.dns_servers), RELOAD, "name servers for discover_addresses"},
    {CONFIG_GILMOK, "pid_file", KEY_PATH, "", 0, 0, NULL, GILMOK(config.pid_file), RESTART, "where to write the process id"},
    {CONFIG_GILMOK, "user", KEY_TEXT, "", 0, 0, NULL, GILMOK(config.run_as), RESTART, "the system user to run as when started by root"},

    {CONFIG_CLUSTER, "protocol", KEY_WORD, "postgresql", 0, 0, protocol_words, CLUSTER(cluster.protocol), RELOAD, "what the servers speak"},
    {CONFIG_CLUSTER, "connect_timeout", KEY_DURATION, "5s", 1, LONGEST, NULL, CLUSTER(cluster.connect_timeout_ms), RELOAD, "time to connect and log in to a server"},
    {CONFIG_CLUSTER, "login_retry", KEY_DURATION, "1s", 0, LONGEST, NULL, CLUSTER(cluster.login_retry_ms), RELOAD, "wait after a failed connect before the next try"},
    {CONFIG_CLUSTER, "server_auth", KEY_WORD, "scram-sha-256", 0, 0, server_auth_words, CLUSTER(cluster.server_auth), RELOAD, "the weakest method that the servers may ask for"},
    {CONFIG_CLUSTER, "auth_user", KEY_TEXT, "", 0, 0, NULL, CLUSTER(cluster.auth_user), RELOAD, "who asks the servers for users that user_file lacks"},
    {CONFIG_CLUSTER, "auth_password_file", KEY_PATH, "", 0, 0, NULL, CLUSTER(auth_password_file), RELOAD, "file whose first line is its password"},
    {CONFIG_CLUSTER, "auth_database", KEY_TEXT, "postgres", 0, 0, NULL, CLUSTER(cluster.auth_database), RELOAD, "the database where it asks"},
    {CONFIG_CLUSTER, "auth_query", KEY_TEXT, "", 0, 0, NULL, CLUSTER(cluster.auth_query), RELOAD, "what it asks, with the user as $1"},
    {CONFIG_CLUSTER, "auth_cache", KEY_DURATION, "1min", 0, 3600000, NULL, CLUSTER(cluster.auth_cache_ms), RELOAD, "how long an answer is remembered"},
    {CONFIG_CLUSTER, "monitor_user", KEY_TEXT, "", 0, 0, NULL, CLUSTER(cluster.monitor_user), RELOAD, "who asks the nodes how they are"},
    {CONFIG_CLUSTER, "monitor_password_file", KEY_PATH, "", 0, 0, NULL, CLUSTER(monitor_password_file), RELOAD, "file whose first line is its password"},
    {CONFIG_CLUSTER, "monitor_database", KEY_TEXT, "postgres", 0, 0, NULL, CLUSTER(cluster.monitor_database), RELOAD, "the database where it asks"},
    {CONFIG_CLUSTER, "probe_interval", KEY_DURATION, "1s", 50, 3600000, NULL, CLUSTER(cluster.probe_interval_ms), RELOAD, "time between two probes of a node"},
    {CONFIG_CLUSTER, "probe_timeout", KEY_DURATION, "2s", 50, 60000, NULL, CLUSTER(cluster.probe_timeout_ms), RELOAD, "a probe without an answer has failed after this"},
    {CONFIG_CLUSTER, "probe_rise", KEY_NUMBER, "2", 1, 100, NULL, CLUSTER(cluster.probe_rise), RELOAD, "answers in a row until a node counts as up again"},
    {CONFIG_CLUSTER, "probe_fall", KEY_NUMBER, "3", 1, 100, NULL, CLUSTER(cluster.probe_fall), RELOAD, "failures in a row until a node counts as down"},
    {CONFIG_CLUSTER, "stall_timeout", KEY_DURATION, "1s", 0, 3600000, NULL, CLUSTER(cluster.stall_timeout_ms), RELOAD, "a node that owes answers and is silent for so long gets no new reads"},
    {CONFIG_CLUSTER, "failover_wait", KEY_DURATION, "10s", 0, 3600000, NULL, CLUSTER(cluster.failover_wait_ms), RELOAD, "how long statements wait for a primary"},
    {CONFIG_CLUSTER, "discover_standbys", KEY_BOOL, "off", 0, 0, NULL, CLUSTER(cluster.discover_standbys), RELOAD, "standbys that the primary lists become nodes"},
    {CONFIG_CLUSTER, "discover_port", KEY_NUMBER, "0", 0, 65535, NULL, CLUSTER(cluster.discover_port), RELOAD, "the port of these; 0: the primary's own"},
    {CONFIG_CLUSTER, "discover_keep", KEY_DURATION, "1min", 100, LONGEST, NULL, CLUSTER(cluster.discover_keep_ms), RELOAD, "how long one stays that is away and not listed"},
    {CONFIG_CLUSTER, "server_channel_binding", KEY_WORD, "prefer", 0, 0, channel_binding_words, CLUSTER(cluster.channel_binding), RELOAD, "whether a login is tied to its TLS connection"},
    {CONFIG_CLUSTER, "server_tls", KEY_WORD, "", 0, 0, server_tls_words, CLUSTER(cluster.tls.mode), RELOAD, "how connections to the servers are secured"},
    {CONFIG_CLUSTER, "server_tls_ca_file", KEY_PATH, "", 0, 0, NULL, CLUSTER(cluster.tls.ca_file), RELOAD, "who may issue the servers' certificates"},
    {CONFIG_CLUSTER, "server_tls_cert_file", KEY_PATH, "", 0, 0, NULL, CLUSTER(cluster.tls.cert_file), RELOAD, "our certificate for servers that ask for one"},
    {CONFIG_CLUSTER, "server_tls_key_file", KEY_PATH, "", 0, 0, NULL, CLUSTER(cluster.tls.key_file), RELOAD, "its private key"},

    {CONFIG_NODE, "host", KEY_TEXT, "127.0.0.1", 0, 0, NULL, NODE(node.host), RELOAD, "address, host name, or directory of the server's unix socket"},
    {CONFIG_NODE, "port", KEY_PORT, "5432", 1, 65535, NULL, NODE(node.port), RELOAD, "port of the server"},
    {CONFIG_NODE, "discover_addresses", KEY_BOOL, "off", 0, 0, NULL, NODE(node.discover_addresses), RELOAD, "the host is a name of several nodes"},
    {CONFIG_NODE, "weight", KEY_NUMBER, "1", 0, 1000, NULL, NODE(node.weight), RELOAD, "the node's share of reads"},
    {CONFIG_NODE, "zone", KEY_TEXT, "", 0, 0, NULL, NODE(node.zone), RELOAD, "where the server is"},
    {CONFIG_NODE, "feed", KEY_WORD, "streaming", 0, 0, feed_words, NODE(node.feed), RELOAD, "what the server has its rows from"},
    {CONFIG_NODE, "tables", KEY_TEXT, "", 0, 0, NULL, NODE(node.tables), RELOAD, "of which a subscriber has copies"},
    {CONFIG_NODE, "subscription", KEY_TEXT, "", 0, 0, NULL, NODE(node.subscription), RELOAD, "what brings them there"},
    {CONFIG_NODE, "heartbeat", KEY_TEXT, "", 0, 0, NULL, NODE(node.heartbeat), RELOAD, "table that tells how far something else is"},
    {CONFIG_NODE, "database", KEY_TEXT, "", 0, 0, NULL, NODE(node.database), RELOAD, "the database that they are in"},
    {CONFIG_NODE, "max_server_conn", KEY_NUMBER, "0", 0, 1000000, NULL, NODE(node.max_server_conn), RELOAD, "connections to this server"},

    {CONFIG_DATABASE, "cluster", KEY_TEXT, "", 0, 0, NULL, DATABASE(cluster), RELOAD, "the cluster that holds the database"},
    {CONFIG_DATABASE, "server_database", KEY_TEXT, "", 0, 0, NULL, DATABASE(database.server_database), RELOAD, "the database's name on the server"},
    {CONFIG_DATABASE, "server_user", KEY_TEXT, "", 0, 0, NULL, DATABASE(database.server_user), RELOAD, "the one user to log in to the server as"},
    {CONFIG_DATABASE, "server_password", KEY_SECRET, "", 0, 0, NULL, DATABASE(database.server_password), RELOAD, "password of server_user"},
    {CONFIG_DATABASE, "server_password_file", KEY_PATH, "", 0, 0, NULL, DATABASE(server_password_file), RELOAD, "file whose first line is that password"},
    {CONFIG_DATABASE, "pool_mode", KEY_WORD, "transaction", 0, 0, pool_mode_words, DATABASE(database.pool_mode), RELOAD, "how long a client keeps a server connection"},
    {CONFIG_DATABASE, "role", KEY_WORD, "primary", 0, 0, role_words, DATABASE(database.role), RELOAD, "which nodes of the cluster serve it"},
    {CONFIG_DATABASE, "max_replica_lag", KEY_DURATION, "0", 0, LONGEST, NULL, DATABASE(database.max_replica_lag_ms), RELOAD, "a replica further behind is not used"},
    {CONFIG_DATABASE, "balance", KEY_WORD, "least-outstanding", 0, 0, balance_words, DATABASE(database.balance), RELOAD, "how nodes that serve reads share them"},
    {CONFIG_DATABASE, "primary_share", KEY_NUMBER, "0", 0, 99, NULL, DATABASE(database.primary_share), RELOAD, "per cent of the reads that the primary serves"},
    {CONFIG_DATABASE, "slow_start", KEY_DURATION, "30s", 0, 3600000, NULL, DATABASE(database.slow_start_ms), RELOAD, "until a node that has come back gets its whole share"},
    {CONFIG_DATABASE, "read_write_split", KEY_BOOL, "off", 0, 0, NULL, DATABASE(database.read_write_split), RELOAD, "send statements that only read to replicas"},
    {CONFIG_DATABASE, "read_consistency", KEY_WORD, "session", 0, 0, consistency_words, DATABASE(database.read_consistency), RELOAD, "what a read on a replica must show of what was written"},
    {CONFIG_DATABASE, "consistency_timeout", KEY_DURATION, "0", 0, LONGEST, NULL, DATABASE(database.consistency_timeout_ms), RELOAD, "how long a read waits for a replica that is fresh enough"},
    {CONFIG_DATABASE, "begin", KEY_WORD, "auto", 0, 0, begin_words, DATABASE(database.begin), RELOAD, "when a BEGIN goes to the server: with the next statement, or at once"},
    {CONFIG_DATABASE, "read_stickiness", KEY_WORD, "statement", 0, 0, stickiness_words, DATABASE(database.read_stickiness), RELOAD, "whether a client's reads stay at one replica"},
    {CONFIG_DATABASE, "read_functions", KEY_NAMES, "", 0, 0, NULL, DATABASE(database.read_functions), RELOAD, "functions that only read, whatever the server says of them"},
    {CONFIG_DATABASE, "write_functions", KEY_NAMES, "", 0, 0, NULL, DATABASE(database.write_functions), RELOAD, "functions that write, whatever the server says of them"},
    {CONFIG_DATABASE, "pool_size", KEY_NUMBER, "20", 1, 10000, NULL, DATABASE(database.pool_size), RELOAD, "server connections of one database and user"},
    {CONFIG_DATABASE, "min_pool_size", KEY_NUMBER, "0", 0, 10000, NULL, DATABASE(database.min_pool_size), RELOAD, "of them kept open even when idle"},
    {CONFIG_DATABASE, "reserve_pool_size", KEY_NUMBER, "0", 0, 10000, NULL, DATABASE(database.reserve_pool_size), RELOAD, "more connections for when clients wait long"},
    {CONFIG_DATABASE, "reserve_pool_timeout", KEY_DURATION, "5s", 1, LONGEST, NULL, DATABASE(database.reserve_pool_timeout_ms), RELOAD, "the wait that is long"},
    {CONFIG_DATABASE, "max_server_conn", KEY_NUMBER, "0", 0, 1000000, NULL, DATABASE(database.max_server_conn), RELOAD, "server connections of all its users"},
    {CONFIG_DATABASE, "warm_up", KEY_NAMES, "", 0, 0, NULL, DATABASE(database.warm_up), RELOAD, "users whose pools are opened at start"},
    {CONFIG_DATABASE, "max_prepared_statements", KEY_NUMBER, "200", 1, 100000, NULL, DATABASE(database.max_prepared_statements), RELOAD, "statements kept prepared on one server connection"},
    {CONFIG_DATABASE, "max_variants", KEY_NUMBER, "10", 1, 1000, NULL, DATABASE(database.max_variants), RELOAD, "sets of startup parameters of one database and user"},
    {CONFIG_DATABASE, "application_name_add_host", KEY_BOOL, "off", 0, 0, NULL, DATABASE(database.app_name_add_host), RELOAD, "show the server each client's address"},
    {CONFIG_DATABASE, "queue_timeout", KEY_DURATION, "30s", 0, LONGEST, NULL, DATABASE(database.queue_timeout_ms), RELOAD, "wait for a server connection"},
    {CONFIG_DATABASE, "query_timeout", KEY_DURATION, "0", 0, LONGEST, NULL, DATABASE(database.query_timeout_ms), RELOAD, "run time of one query"},
    {CONFIG_DATABASE, "transaction_timeout", KEY_DURATION, "0", 0, LONGEST, NULL, DATABASE(database.transaction_timeout_ms), RELOAD, "run time of one transaction"},
    {CONFIG_DATABASE, "idle_transaction_timeout", KEY_DURATION, "0", 0, LONGEST, NULL, DATABASE(database.idle_transaction_timeout_ms), RELOAD, "silence of a client inside a transaction"},
    {CONFIG_DATABASE, "server_idle_timeout", KEY_DURATION, "10min", 0, LONGEST, NULL, DATABASE(database.server_idle_timeout_ms), RELOAD, "an unused server connection is closed after this"},
    {CONFIG_DATABASE, "server_lifetime", KEY_DURATION, "1h", 0, LONGEST, NULL, DATABASE(database.server_lifetime_ms), RELOAD, "a server connection is replaced after this"},
    {CONFIG_DATABASE, "session_reuse", KEY_BOOL, "on", 0, 0, NULL, DATABASE(database.session_reuse), RELOAD, "in session mode: a connection goes to the next client"},
    {CONFIG_DATABASE, "server_check_delay", KEY_DURATION, "30s", 0, LONGEST, NULL, DATABASE(database.server_check_delay_ms), RELOAD, "a connection idle for longer is checked before use"},
    {CONFIG_DATABASE, "server_round_robin", KEY_BOOL, "off", 0, 0, NULL, DATABASE(database.server_round_robin), RELOAD, "hand out idle connections in turn"},

    {CONFIG_DATABASE, "catalog_refresh", KEY_DURATION, "1min", 1000, LONGEST, NULL, DATABASE(database.catalog_refresh_ms), RELOAD, "what functions, triggers and views do is read again after this"},
    {CONFIG_DATABASE, "listen", KEY_WORD, "pin", 0, 0, listen_words, DATABASE(database.listen), RELOAD, "what a client that listens to channels keeps"},
    {CONFIG_DATABASE, "session_sequences", KEY_WORD, "refuse", 0, 0, session_sequences_words, DATABASE(database.session_sequences), RELOAD, "currval() in a later transaction than nextval()"},
    {CONFIG_DATABASE, "unknown_effects", KEY_WORD, "probe", 0, 0, unknown_effects_words, DATABASE(database.unknown_effects), RELOAD, "what to think of functions that are not the server's own"},
    {CONFIG_USER, "pool_mode", KEY_WORD, "", 0, 0, pool_mode_words, USER(user.pool_mode), RELOAD, "instead of the database's pool_mode"},
    {CONFIG_USER, "pool_size", KEY_NUMBER, "0", 0, 10000, NULL, USER(user.pool_size), RELOAD, "instead of the database's pool_size"},
    {CONFIG_USER, "max_client_conn", KEY_NUMBER, "0", 0, 1000000, NULL, USER(user.max_client_conn), RELOAD, "client connections of this user"},
    {CONFIG_USER, "max_server_conn", KEY_NUMBER, "0", 0, 1000000, NULL, USER(user.max_server_conn), RELOAD, "server connections of this user on all databases"},

    {CONFIG_PEER, "instance", KEY_NUMBER, "0", 0, 65535, NULL, PEER(peer.instance), RELOAD, "the peer's own number"},
    {CONFIG_PEER, "host", KEY_TEXT, "127.0.0.1", 0, 0, NULL, PEER(peer.host), RELOAD, "where the peer listens"},
    {CONFIG_PEER, "port", KEY_PORT, "6432", 1, 65535, NULL, PEER(peer.port), RELOAD, "port that the peer listens on"},
    {CONFIG_PEER, "tls", KEY_WORD, "", 0, 0, server_tls_words, PEER(peer.tls.mode), RELOAD, "how connections to the peer are secured"},
    {CONFIG_PEER, "tls_ca_file", KEY_PATH, "", 0, 0, NULL, PEER(peer.tls.ca_file), RELOAD, "who may issue the peer's certificate"},
};
/* clang-format on */
const size_t config_keys_count = COUNT_OF(config_keys);

static const struct {
    const char *name;
    const char *header;
} kinds[CONFIG_KINDS] = {
    [CONFIG_GILMOK] = {"gilmok", "[gilmok]"},
    [CONFIG_CLUSTER] = {"cluster", "[cluster NAME]"},
    [CONFIG_NODE] = {"node", "[node CLUSTER/NAME]"},
    [CONFIG_DATABASE] = {"database", "[database NAME]"},
    [CONFIG_USER] = {"user", "[user NAME]"},
    [CONFIG_PEER] = {"peer", "[peer NAME]"},
};

/* ---- finding ---- */

const char *config_kind_header(enum config_kind kind) {
    return kinds[kind].header;
}

bool config_kind_find(const char *name, enum config_kind *out) {
    for (int i = 0; i < CONFIG_KINDS; i++) {
        if (strcmp(kinds[i].name, name) != 0) continue;
        *out = (enum config_kind)i;
        return true;
    }
    return false;
}

const struct config_key *config_key_find(enum config_kind kind, const char *name) {
    for (size_t i = 0; i < config_keys_count; i++) {
        if (config_keys[i].kind == kind && strcmp(config_keys[i].name, name) == 0) return &config_keys[i];
    }
    return NULL;
}

enum { NAME_MAX_LEN = 48 }; /* longer words are near to nothing */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Levenshtein's distance, upper and lower case alike. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[NAME_MAX_LEN + 1];
    size_t len_b = strlen(b);
    if (strlen(a) > NAME_MAX_LEN || len_b > NAME_MAX_LEN) return NAME_MAX_LEN;
    for (size_t j = 0; j <= len_b; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            bool is_same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t here = least(least(row[j], row[j - 1]) + 1, diagonal + !is_same);
            diagonal = row[j];
            row[j] = here;
        }
    }
    return row[len_b];
}

struct nearest {
    const char *name;
    size_t distance;
};

static void offer(struct nearest *best, const char *candidate, const char *name) {
    size_t distance = edit_distance(name, candidate);
    /* A third of the word may be wrong; beyond that a proposal is a guess. */
    if (distance > strlen(candidate) / 3 + 1 || (best->name && distance >= best->distance)) return;
    *best = (struct nearest){candidate, distance};
}

const char *config_kind_nearest(const char *name) {
    struct nearest best = {NULL, 0};
    for (int i = 0; i < CONFIG_KINDS; i++) offer(&best, kinds[i].name, name);
    return best.name;
}

const char *config_key_nearest(enum config_kind kind, const char *name) {
    struct nearest best = {NULL, 0};
    for (size_t i = 0; i < config_keys_count; i++) {
        if (config_keys[i].kind == kind) offer(&best, config_keys[i].name, name);
    }
    return best.name;
}

/* ---- setting ---- */

static bool set_text(const struct config_key *key, void *field, const char *text, const char *file,
                     struct arena *arena, struct err *err) {
    const char *value = *text ? text : NULL;
    if (key->type == KEY_NAMES) {
        if (!config_value_names(text, err)) return false;
        value = text; /* "" is nobody */
    }
    struct addr_list scratch;
    if (key->type == KEY_ADDRS && !addr_list_parse(&scratch, text, err)) return false;
    /* $CREDENTIALS_DIRECTORY/... is absolute once expanded. */
    if (key->type == KEY_PATH && value && file && *value != '$') {
        value = config_path_from(arena, file, value);
        if (!value) return err_set(err, ERR_OUT_OF_MEMORY, "does not fit into memory");
    }
    memcpy(field, &value, sizeof(value));
    return true;
}

static bool set_number(const struct config_key *key, void *field, const char *text, struct err *err) {
    uint64_t value = 0;
    bool is_right;
    switch (key->type) {
    case KEY_DURATION:
    case KEY_SECONDS:
        is_right = config_value_duration(text, key->min, key->max, &value, err);
        break;
    case KEY_SIZE:
        is_right = config_value_size(text, key->min, key->max, &value, err);
        break;
    default:
        is_right = config_value_number(text, key->min, key->max, &value, err);
    }
    if (!is_right) return false;
    if (key->type == KEY_SECONDS) {
        if (value % 1000 != 0) {
            err_set(err, ERR_CONFIG, "is not a whole number of seconds");
            err_hint(err, "Write whole seconds, such as 10s");
            return false;
        }
        value /= 1000;
    }
    if (key->type == KEY_PORT) *(uint16_t *)field = (uint16_t)value;
    else *(uint32_t *)field = (uint32_t)value;
    return true;
}

bool config_key_set(const struct config_key *key, void *draft, const char *text, const char *file,
                    struct arena *arena, struct err *err) {
    void *field = (char *)draft + key->offset;
    int word = -1;
    switch (key->type) {
    case KEY_TEXT:
    case KEY_SECRET:
    case KEY_PATH:
    case KEY_NAMES:
    case KEY_ADDRS:
        return set_text(key, field, text, file, arena, err);
    case KEY_BOOL:
        return config_value_bool(text, field, err);
    case KEY_WORD:
        if ((*text || *key->fallback) && !config_value_word(text, key->words, &word, err)) return false;
        memcpy(field, &word, sizeof(word));
        return true;
    case KEY_LISTENS:
        list_init(field);
        return config_value_listens(text, arena, field, err);
    case KEY_LEVELS:
        return config_value_levels(text, key->words, field, err);
    default:
        return set_number(key, field, text, err);
    }
}

/* ---- showing ---- */

static void listens_text(const struct list *listens, char *out, size_t size) {
    size_t len = 0;
    out[0] = '\0';
    LIST_EACH(n, listens) {
        char one[160];
        config_value_listen_text(CONTAINER_OF(n, struct config_listen, node), one, sizeof(one));
        int more = snprintf(out + len, size - len, "%s%s", len ? ", " : "", one);
        if (more < 0 || (size_t)more >= size - len) return;
        len += (size_t)more;
    }
}

void config_key_text(const struct config_key *key, const void *draft, char *out, size_t size) {
    const void *field = (const char *)draft + key->offset;
    const char *text = NULL;
    int word;
    switch (key->type) {
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_NAMES:
    case KEY_ADDRS:
    case KEY_SECRET:
        memcpy(&text, field, sizeof(text));
        if (text && key->type == KEY_SECRET) text = "***";
        snprintf(out, size, "%s", text ? text : "");
        return;
    case KEY_WORD:
        memcpy(&word, field, sizeof(word));
        snprintf(out, size, "%s", word < 0 ? "" : key->words[word]);
        return;
    case KEY_BOOL:
        snprintf(out, size, "%s", *(const bool *)field ? "on" : "off");
        return;
    case KEY_PORT:
        snprintf(out, size, "%u", (unsigned)*(const uint16_t *)field);
        return;
    case KEY_NUMBER:
        snprintf(out, size, "%" PRIu32, *(const uint32_t *)field);
        return;
    case KEY_DURATION:
        config_value_duration_text(*(const uint32_t *)field, out, size);
        return;
    case KEY_SECONDS:
        config_value_duration_text(UINT64_C(1000) * *(const uint32_t *)field, out, size);
        return;
    case KEY_SIZE:
        config_value_size_text(*(const uint32_t *)field, out, size);
        return;
    case KEY_LISTENS:
        listens_text(field, out, size);
        return;
    case KEY_LEVELS:
        log_levels_text(field, out, size);
        return;
    }
}

static void each_of(enum config_kind kind, const char *section, const void *draft, config_keys_fn *each, void *ctx) {
    for (size_t i = 0; i < config_keys_count; i++) {
        if (config_keys[i].kind != kind) continue;
        char value[1024];
        config_key_text(&config_keys[i], draft, value, sizeof(value));
        each(ctx, section, &config_keys[i], value);
    }
}

void config_keys_each(const struct config *c, config_keys_fn *each, void *ctx) {
    char section[128];
    each_of(CONFIG_GILMOK, "gilmok", c, each, ctx);
    LIST_EACH(n, &c->clusters) {
        const struct config_cluster *cluster = CONTAINER_OF(n, struct config_cluster, node);
        snprintf(section, sizeof(section), "cluster %s", cluster->name);
        each_of(CONFIG_CLUSTER, section, cluster, each, ctx);
        LIST_EACH(m, &cluster->nodes) {
            const struct config_node *node = CONTAINER_OF(m, struct config_node, node);
            snprintf(section, sizeof(section), "node %s/%s", cluster->name, node->name);
            each_of(CONFIG_NODE, section, node, each, ctx);
        }
    }
    LIST_EACH(n, &c->databases) {
        const struct config_database *database = CONTAINER_OF(n, struct config_database, node);
        snprintf(section, sizeof(section), "database %s", database->name);
        each_of(CONFIG_DATABASE, section, database, each, ctx);
    }
    LIST_EACH(n, &c->users) {
        const struct config_user *user = CONTAINER_OF(n, struct config_user, node);
        snprintf(section, sizeof(section), "user %s", user->name);
        each_of(CONFIG_USER, section, user, each, ctx);
    }
    LIST_EACH(n, &c->peers) {
        const struct config_peer *peer = CONTAINER_OF(n, struct config_peer, node);
        snprintf(section, sizeof(section), "peer %s", peer->name);
        each_of(CONFIG_PEER, section, peer, each, ctx);
    }
}
