/*
 * config.h - the configuration as the rest of gilmok sees it: checked, immutable.
 *
 * config_load() reads the file (and what it includes), checks everything, and
 * either gives a whole configuration or a list of findings, each with file, line
 * and what to write instead. A configuration is never half valid. All strings
 * live in its arena until config_free().
 *
 * Every key is one row of the table in config_keys.c: name, type, default, what
 * it means. docs/configuration.md is checked against that table by tests/style.
 *
 * Durations are held in milliseconds (0 = no limit, where the key allows it),
 * sizes in bytes.
 */
#ifndef GILMOK_PROXY_CONFIG_H
#define GILMOK_PROXY_CONFIG_H

#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "proxy/access/name_map.h"
#include "proxy/auth/user_store.h"
#include "proxy/net/addr_list.h"

enum pool_mode { POOL_SESSION, POOL_TRANSACTION, POOL_STATEMENT };
const char *pool_mode_name(enum pool_mode mode);

/* When a client's BEGIN goes to the server: with the statement behind it, or at once. AUTO: held where reads go to replicas. */
enum begin_mode { BEGIN_AUTO, BEGIN_HELD, BEGIN_EAGER };

/* Which nodes of a cluster a database is served by. */
enum pool_role { ROLE_PRIMARY, ROLE_REPLICA, ROLE_PREFER_REPLICA, ROLE_ANY };
/* How much of what was written a read on a replica must show. */
enum read_consistency { CONSISTENCY_EVENTUAL, CONSISTENCY_SESSION, CONSISTENCY_GLOBAL, CONSISTENCY_STRONG };
const char *read_consistency_name(enum read_consistency consistency);
const char *pool_role_name(enum pool_role role);

/* currval() and lastval() in a later transaction than nextval(): an error, or the client keeps its connection from nextval() on. */
enum session_sequences { SESSION_SEQUENCES_REFUSE, SESSION_SEQUENCES_PIN };

/* After a statement that runs code which is not the server's own: see whether it left something, keep the connection, nothing. */
enum unknown_effects { UNKNOWN_EFFECTS_PROBE, UNKNOWN_EFFECTS_PIN, UNKNOWN_EFFECTS_TRUST };

/* A client that has done LISTEN: it keeps its connection, or one connection listens for all clients of a pool. */
enum listen_mode { LISTEN_PIN, LISTEN_SHARED };

/* How the nodes that may serve a read share the work (proxy/pool/choose.h). */
enum read_balance { BALANCE_LEAST_OUTSTANDING, BALANCE_ROUND_ROBIN, BALANCE_LATENCY };

/* Whether a client's reads stay at one replica. */
enum read_stickiness { STICKY_STATEMENT, STICKY_SESSION };

enum proto_kind { PROTO_POSTGRESQL, PROTO_MYSQL };

/* Where a node listens whose section does not say it; for PostgreSQL it is the default of `port`. */
enum { CONFIG_MYSQL_PORT = 3306 };

/* One address to listen on: `host:port`, `[v6]:port`, or `unix:/path/of/socket`. */
struct config_listen {
    struct list node; /* in config.listens or config.listens_mysql */
    const char *host; /* NULL for a unix socket */
    uint16_t port;
    const char *unix_path; /* NULL for TCP */
};

/* How connections to servers are secured. */
enum config_server_tls_mode { SERVER_TLS_DISABLE, SERVER_TLS_REQUIRE, SERVER_TLS_VERIFY_CA, SERVER_TLS_VERIFY_FULL };
struct config_server_tls {
    int mode; /* enum config_server_tls_mode; -1: disable on loopback and unix sockets, verify-full elsewhere */
    const char *ca_file;   /* NULL: the system's certificates */
    const char *cert_file; /* ours, for servers that ask; NULL: none */
    const char *key_file;
};

/* What MySQL's clients are offered. */
enum config_mysql_compression { MYSQL_COMPRESSION_OFF, MYSQL_COMPRESSION_ON, MYSQL_COMPRESSION_ZLIB, MYSQL_COMPRESSION_ZSTD };
enum config_client_tls { CLIENT_TLS_DISABLE, CLIENT_TLS_ALLOW, CLIENT_TLS_REQUIRE };
enum config_tls_min { TLS_MIN_1_2, TLS_MIN_1_3 };

enum { CONFIG_NODES_MAX = 64 /* of one cluster */, CONFIG_NODE_NAME_SIZE = 64, CONFIG_NODE_HOST_SIZE = 256 };
enum { CONFIG_SUBSCRIBERS_MAX = 8 /* of one cluster */, CONFIG_TABLES_MAX = 100 /* of one of them */, CONFIG_TABLE_NAME_MAX = 63 };
enum { CONFIG_FOUND_NAME_MAX = 20 /* of one with discover_addresses: its nodes are called NAME@ADDRESS */ };

/* Who wants a node to be there: its section of the file, or an entry of config_nodes.h. */
enum node_source { NODE_FROM_CONFIG, NODE_FROM_CONSOLE, NODE_FROM_STANDBYS, NODE_FROM_DNS };
const char *node_source_name(enum node_source source);

/* What a node has its rows from. */
enum node_feed { FEED_STREAMING, FEED_LOGICAL };

/* [node CLUSTER/NAME]: one server. */
struct config_node {
    struct list node; /* in config_cluster.nodes */
    const char *name;
    const char *host; /* IP address, host name, or a directory "/..." that holds the server's unix socket */
    const char *address; /* which of the host's addresses, of one that was found by its name; NULL: the name is looked up */
    bool discover_addresses; /* stands for one node at each of the host's addresses, and is none itself (config_nodes.h) */
    uint16_t port;
    uint32_t max_server_conn; /* 0: no cap */
    uint32_t weight;          /* its share of reads; 0: only where no other node can be used */
    const char *zone;         /* NULL: not said */
    bool is_near;             /* ... and it is gilmok's own */
    enum node_source source;
    bool is_drained; /* gets nothing new for reads (DRAIN NODE) */
    enum node_feed feed;
    const char *tables;       /* of one with FEED_LOGICAL: "schema.table, ..." that it has copies of; else NULL, as these: */
    const char *subscription; /* that brings them; NULL: something else does, and then there is a heartbeat */
    const char *heartbeat;    /* "schema.table" at the primary, which is brought like them; NULL: there is a subscription */
    const char *database;     /* that they are in, there and at the primary */
    int line;
    const char *file; /* of the section; of a node that has none, of its cluster's */
};

/* [cluster NAME]: the servers of one replication group. */
struct config_cluster {
    struct list node; /* in config.clusters */
    const char *name;
    enum proto_kind protocol;
    struct list nodes; /* struct config_node */
    struct config_server_tls tls;
    enum server_auth server_auth;
    enum channel_binding channel_binding;
    const char *auth_user;     /* who asks the servers for users that are not in the user file; NULL: nobody does */
    const char *auth_password; /* its password; secret; NULL: none is needed */
    const char *auth_database; /* where */
    const char *auth_query;    /* NULL: the usual one */
    uint32_t auth_cache_ms;    /* an answer is remembered for so long */
    struct config_database *auth; /* the pool of these connections, which no client can name; in config.auth_databases */
    const char *monitor_user;     /* who probes the nodes; NULL: nobody does, and there is one node */
    const char *monitor_password; /* its password; secret; NULL: none is needed */
    const char *monitor_database; /* where */
    uint32_t probe_interval_ms;
    uint32_t probe_timeout_ms;
    uint32_t probe_rise; /* answers in a row until a node that was down is up */
    uint32_t probe_fall; /* failures in a row until a node is down */
    uint32_t stall_timeout_ms; /* a node that owes answers and says nothing for so long is doubted; 0: none is */
    uint32_t failover_wait_ms; /* statements wait so long for a primary */
    uint32_t connect_timeout_ms;
    uint32_t login_retry_ms; /* wait after a failed connect before the next try */
    bool discover_standbys;      /* those that the primary lists become nodes */
    uint32_t discover_port;      /* where they listen; 0: where the primary does */
    uint32_t discover_keep_ms;   /* so long one stays that is neither listed nor of use */
    bool is_elective; /* config_is_elective(), however few nodes there are now */
    int line;
    const char *file;
};

/* [database NAME]: what clients connect to. NAME `*` stands for every name that has no section. */
struct config_database {
    struct list node; /* in config.databases */
    const char *name;
    bool is_wildcard;
    const struct config_cluster *cluster;
    const char *server_database; /* NULL: the client's database name */
    const char *server_user;     /* NULL: the client's name */
    const char *server_password; /* or an md5 verifier; NULL: the user's own from the user file. Secret. */
    bool app_name_add_host; /* the server's application_name ends with the client's address */
    enum pool_mode pool_mode;
    enum pool_role role;
    uint32_t max_replica_lag_ms; /* a replica further behind is not used; 0: however far */
    enum begin_mode begin;
    enum read_balance balance;
    uint32_t primary_share;      /* per cent of reads that replicas could serve; 0: none, or by its weight with ROLE_ANY */
    uint32_t slow_start_ms;      /* until a node that has come back gets its whole share; 0: at once */
    enum read_stickiness read_stickiness;
    enum read_consistency read_consistency;
    uint32_t consistency_timeout_ms; /* so long a read waits for a replica that is fresh enough; 0: not at all */
    bool read_write_split;       /* reads go to replicas, by their text */
    const char *read_functions;  /* which read and which write, whatever the server says of them; comma-separated, */
    const char *write_functions; /*   as in routing/classify.h */
    uint32_t pool_size;    /* server connections of one (database, user) pair */
    uint32_t min_pool_size;     /* of them kept open */
    uint32_t reserve_pool_size; /* beyond them, when somebody has waited for reserve_pool_timeout_ms */
    uint32_t reserve_pool_timeout_ms;
    uint32_t max_server_conn;   /* of all users together; 0: no cap */
    const char *warm_up;        /* users whose pools are opened at start, comma-separated */
    uint32_t max_prepared_statements; /* on one server connection */
    uint32_t max_variants; /* sets of startup parameters of one pair */
    uint32_t queue_timeout_ms;
    uint32_t query_timeout_ms;
    uint32_t transaction_timeout_ms;
    uint32_t idle_transaction_timeout_ms;
    uint32_t server_idle_timeout_ms;
    uint32_t server_lifetime_ms;
    bool session_reuse; /* session mode: a server connection goes to the next client when its own has left */
    uint32_t server_check_delay_ms; /* a connection idle for longer is checked before use */
    uint32_t catalog_refresh_ms; /* what is known of functions, triggers and views holds for so long */
    enum unknown_effects unknown_effects;
    enum session_sequences session_sequences;
    enum listen_mode listen;
    bool server_round_robin; /* idle connections are handed out in turn, not the one used last */
    int line;
    const char *file;
};

/* [user NAME]: what differs for one user. 0 or -1 where the database's value holds. */
struct config_user {
    struct list node; /* in config.users */
    const char *name;
    uint32_t pool_size;  /* 0: the database's */
    int pool_mode;       /* -1: the database's */
    uint32_t max_client_conn; /* 0: no limit of its own */
    uint32_t max_server_conn; /* on all databases together; 0: no cap */
    int line;
    const char *file;
};

/* [peer NAME]: another gilmok of the group, for the cancel requests of its clients. */
struct config_peer {
    struct list node; /* in config.peers */
    const char *name;
    uint32_t instance;
    const char *host;
    uint16_t port;
    struct config_server_tls tls;
    int line;
    const char *file;
};

/* How the names of auth_databases begin: no client and no section may have such a one. */
#define CONFIG_AUTH_DATABASE "auth_query of "

struct config {
    struct arena arena;
    const char *path;
    _Atomic uint32_t refs;
    struct config *base; /* of one with other nodes than its file has (config_nodes.h): the file's, owned; else NULL */

    /* [gilmok] */
    struct list listens;   /* struct config_listen */
    struct list listens_mysql; /* the same, for clients that speak MySQL's protocol; none with an address of the other list */
    const char *mysql_server_version; /* that these are greeted with */
    bool mysql_local_infile;
    int mysql_compression; /* enum config_mysql_compression */
    const char *run_as;    /* `user =`; NULL: stay who we are */
    const char *pid_file;  /* NULL: none */
    const char *user_file; /* PgBouncer-format user list; NULL: none */
    struct log_levels log_levels; /* `log_level =` */
    enum log_format log_format;
    const char *log_file; /* NULL: standard error */
    const char *dns_servers; /* for names that stand for several nodes, comma-separated; NULL: the system's */
    const char *admin_users; /* comma-separated names that may use every console verb; "" = nobody */
    const char *stats_users; /* comma-separated names that may use SHOW */
    uint32_t workers;      /* threads that serve clients */
    uint32_t rebalance_ms; /* a client that waits longer than this may go to another worker */
    uint32_t instance; /* this gilmok's number in a group; 0: it is in none */
    const char *zone;  /* where it runs; NULL: not said */
    uint32_t max_client_conn;
    uint32_t max_server_conn; /* 0: no cap */
    uint32_t inspect_limit;  /* bytes of a Parse that is looked into; less than a stream holds */
    uint32_t max_login_conn; /* connections that have not logged in yet */
    uint32_t login_timeout_ms;
    uint32_t client_idle_timeout_ms;
    uint32_t drain_timeout_ms; /* SIGTERM waits this long for transactions to end */
    uint32_t stats_period_ms;  /* of the averages in SHOW STATS */
    uint32_t tcp_keepalive_idle_s;
    uint32_t tcp_keepalive_interval_s;
    uint32_t tcp_keepalive_count;
    uint32_t tcp_user_timeout_ms;
    enum config_client_tls client_tls;
    const char *client_tls_cert_file; /* NULL only where client_tls is disable */
    const char *client_tls_key_file;
    const char *client_tls_ca_file; /* NULL: clients' certificates are not asked for */
    bool client_tls_cert_is_needed; /* a client without a certificate is refused */
    enum config_tls_min client_tls_min_version;
    const char *client_tls_ciphers; /* NULL: the usual ones */
    enum auth_method client_auth;        /* over TCP; with `hba_file` nobody asks for it */
    enum auth_method client_auth_socket; /* over unix sockets */
    const char *hba_file;   /* NULL: client_auth says it for everybody */
    const char *ident_file; /* NULL: no name maps */
    const char *pam_directory; /* of PAM's service files; NULL: the system's */
    uint32_t auth_threads;     /* that ask LDAP servers, and as many that ask PAM */
    struct hba *hba;        /* the rules, whether from the file or from client_auth; owned, like the next, without a `base` */
    struct name_maps *name_maps;
    struct addr_list proxy_protocol_from; /* connections from there begin with a PROXY header, and their clients may be anywhere */

    struct list clusters;  /* struct config_cluster */
    struct list databases; /* struct config_database */
    struct list auth_databases; /* the same; one for each cluster with an auth_user */
    struct list users;     /* struct config_user */
    struct list peers;     /* struct config_peer */
    struct user_store *user_store; /* loaded from user_file; owned likewise */
};

/* One thing wrong, or worth knowing, in the file. */
struct config_finding {
    struct list node;
    bool is_error; /* else a warning */
    char file[256];
    int line;          /* 0: the file as a whole */
    char message[400]; /* what is wrong */
    char advice[400];  /* what to write instead */
};

struct config_findings {
    struct list all; /* struct config_finding, in file order; owned */
    int errors;
    int warnings;
};

void config_findings_init(struct config_findings *f);
void config_findings_release(struct config_findings *f);

/*
 * NULL when there is at least one error; the findings then say why. Reads files
 * only: no server is contacted. Fails on: unreadable or unsafe files (a user file
 * or password file that others can read), unknown sections or keys (with the
 * nearest known name), repeated keys, bad values, references to missing clusters,
 * and users that could log in to gilmok but not to their server.
 */
struct config *config_load(const char *path, struct config_findings *findings);
struct config *config_ref(struct config *c);
void config_free(struct config *c); /* with the last reference; NULL is fine */
/* The one that was loaded: itself, or that whose nodes were changed. */
static inline const struct config *config_root(const struct config *c) {
    return c->base ? c->base : c;
}

/* The cluster or node of that name, or NULL. */
const struct config_cluster *config_find_cluster(const struct config *c, const char *name);
const struct config_node *config_find_node(const struct config_cluster *cluster, const char *name);
/* Where it is: an address, or a name or path. With its port no two nodes of a cluster have the same. */
static inline const char *config_node_place(const struct config_node *n) {
    return n->address ? n->address : n->host;
}
/* A server of its own that subscribes to some of the cluster's tables: never its primary, nor a standby (docs/failover.md). */
static inline bool config_node_subscribes(const struct config_node *n) {
    return n->feed == FEED_LOGICAL;
}
/* Of one that subscribes: stands for what is said of it; never 0. */
uint64_t config_copy_id(const struct config_node *n);
/* The first one that can be the primary; there is one in every cluster of a configuration. */
const struct config_node *config_first_node(const struct config_cluster *cluster);
/* The next "schema.table" of a list of them; *at begins at the list. False: there is none, or what comes is none. */
bool config_next_table(const char **at, struct bytes *schema, struct bytes *table);
/* One whose primary is found out by probes: it has several nodes, or had, or may. */
bool config_is_elective(const struct config_cluster *cluster);

/* What a client connects to: the section of that name, else the wildcard's, else NULL. */
const struct config_database *config_find_database(const struct config *c, struct bytes name);
/* What a pool is made for: that, but for the names of auth_databases, which no client can mean. */
const struct config_database *config_pool_database(const struct config *c, struct bytes name);
const struct config_user *config_find_user(const struct config *c, struct bytes name);
/* The peer with this instance number, or NULL. */
const struct config_peer *config_find_peer(const struct config *c, uint32_t instance);
/* True when `name` is one of the comma-separated names in `list`. */
bool config_name_in_list(const char *list, struct bytes name);
/* The next of them; *at begins at the list (which may be NULL). False: there is no more. */
bool config_next_name(const char **at, struct bytes *name);

#endif
