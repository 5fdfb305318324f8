/*
 * What clients say about who they are, and the names of their commands. The byte tables stand in my_decode.h.
 */
#include "proxy/wire/my_decode.h"

/* An empty name is none; the answer of a plugin and the attributes may be empty and there. */
static struct bytes named(struct bytes name) {
    return name.len ? name : bytes_of(NULL, 0);
}

/* A string that may be the last one: some old clients send no NUL behind it, or nothing at all. */
static struct bytes last_str(struct reader *r) {
    size_t left = reader_left(r);
    if (!r->failed && !memchr(r->pos, 0, left)) return reader_take(r, left);
    return reader_cstr(r);
}

static struct bytes read_answer(struct reader *r, uint32_t caps) {
    if (caps & MY_CAP_SECURE_CONNECTION) return reader_take(r, reader_u8(r));
    return last_str(r);
}

static bool is_within_limits(const struct my_login *l) {
    return l->user.len <= MY_NAME_MAX && l->schema.len <= MY_NAME_MAX && l->plugin.len <= MY_NAME_MAX &&
           l->answer.len <= MY_AUTH_MAX && l->attributes.len <= MY_ATTRS_MAX;
}

/* The 32 bytes that a request for TLS consists of. */
static bool read_head(struct reader *r, struct my_login *out) {
    out->caps = my_le32(r);
    out->packet_max = my_le32(r);
    out->collation = reader_u8(r);
    reader_take(r, 19);
    uint32_t mariadb_caps = my_le32(r);
    if (!(out->caps & MY_CAP_LONG_PASSWORD)) out->mariadb_caps = mariadb_caps;
    return !r->failed && out->caps & MY_CAP_PROTOCOL_41;
}

bool my_login_read(struct bytes payload, struct my_login *out) {
    struct reader r = reader_over(payload);
    *out = (struct my_login){0};
    if (!read_head(&r, out)) return false;
    out->is_tls_request = out->caps & MY_CAP_SSL && reader_left(&r) == 0;
    if (out->is_tls_request) return true;
    out->user = reader_cstr(&r);
    out->answer = out->caps & MY_CAP_PLUGIN_AUTH_LENENC ? my_lenenc_str(&r) : read_answer(&r, out->caps);
    if (out->caps & MY_CAP_CONNECT_WITH_DB) out->schema = named(last_str(&r));
    if (out->caps & MY_CAP_PLUGIN_AUTH) out->plugin = named(last_str(&r));
    if (out->caps & MY_CAP_CONNECT_ATTRS) out->attributes = my_lenenc_str(&r);
    if (out->caps & MY_CAP_ZSTD && reader_left(&r) > 0) out->zstd_level = reader_u8(&r);
    return !r.failed && is_within_limits(out);
}

bool my_change_user_read(struct bytes body, uint32_t caps, struct my_login *out) {
    struct reader r = reader_over(body);
    *out = (struct my_login){.caps = caps};
    out->user = reader_cstr(&r);
    out->answer = read_answer(&r, caps);
    out->schema = named(reader_cstr(&r));
    if (reader_left(&r) > 0) out->collation = my_le16(&r);
    if (caps & MY_CAP_PLUGIN_AUTH) out->plugin = named(last_str(&r));
    if (caps & MY_CAP_CONNECT_ATTRS && reader_left(&r) > 0) out->attributes = my_lenenc_str(&r);
    return !r.failed && is_within_limits(out);
}

const char *my_command_name(uint8_t command) {
    static const char *const names[] = {
        [MY_COM_SLEEP] = "sleep",
        [MY_COM_QUIT] = "quit",
        [MY_COM_INIT_DB] = "init_db",
        [MY_COM_QUERY] = "query",
        [MY_COM_FIELD_LIST] = "field_list",
        [MY_COM_CREATE_DB] = "create_db",
        [MY_COM_DROP_DB] = "drop_db",
        [MY_COM_REFRESH] = "refresh",
        [MY_COM_SHUTDOWN] = "shutdown",
        [MY_COM_STATISTICS] = "statistics",
        [MY_COM_PROCESS_INFO] = "process_info",
        [MY_COM_CONNECT] = "connect",
        [MY_COM_PROCESS_KILL] = "process_kill",
        [MY_COM_DEBUG] = "debug",
        [MY_COM_PING] = "ping",
        [MY_COM_TIME] = "time",
        [MY_COM_DELAYED_INSERT] = "delayed_insert",
        [MY_COM_CHANGE_USER] = "change_user",
        [MY_COM_BINLOG_DUMP] = "binlog_dump",
        [MY_COM_TABLE_DUMP] = "table_dump",
        [MY_COM_CONNECT_OUT] = "connect_out",
        [MY_COM_REGISTER_SLAVE] = "register_slave",
        [MY_COM_STMT_PREPARE] = "stmt_prepare",
        [MY_COM_STMT_EXECUTE] = "stmt_execute",
        [MY_COM_STMT_SEND_LONG_DATA] = "stmt_send_long_data",
        [MY_COM_STMT_CLOSE] = "stmt_close",
        [MY_COM_STMT_RESET] = "stmt_reset",
        [MY_COM_SET_OPTION] = "set_option",
        [MY_COM_STMT_FETCH] = "stmt_fetch",
        [MY_COM_DAEMON] = "daemon",
        [MY_COM_BINLOG_DUMP_GTID] = "binlog_dump_gtid",
        [MY_COM_RESET_CONNECTION] = "reset_connection",
        [MY_COM_STMT_BULK_EXECUTE] = "stmt_bulk_execute",
    };
    const char *name = command < COUNT_OF(names) ? names[command] : NULL;
    return name ? name : "?";
}
