/*
 * Errors about statements that the server knows by gilmok's names: the client reads its own. In what the server says of a text
 * that was edited, positions are put back, too; in warnings likewise.
 *
 * Works on the way of errors and of such warnings alone. Whose name stands in an error is known by the number of the name that the
 * failing message was about (a ledger tag), else by the statement: where a client has one statement under two names, that may be
 * the other.
 */
#include <ctype.h>

#include "base/reader.h"
#include "proxy/session/session_pg_ops.h"
#include "proxy/wire/pg_encode.h"

enum { GROWTH_MAX = 64 << 10 }; /* of an error by its names */

/* What an error is about. */
struct erring {
    struct prepared_client *pc;
    struct backend *b;
    uint16_t number;             /* of the name that the failing message was about; 0: not known */
    const struct sql_text *text; /* the failing message's, when it names statements itself; or NULL */
};

/*   "gilmok_" 16 digits "_" digits        The length of such a name at the beginning of `text`; 0: there is none. */
static size_t server_name_len(struct bytes text) {
    size_t at = STATEMENT_PG_NAME_LEN;
    if (text.len <= at || !bytes_starts_with(text, STATEMENT_PG_PREFIX)) return 0;
    for (size_t i = sizeof STATEMENT_PG_PREFIX - 1; i < at; i++)
        if (!isxdigit(text.ptr[i])) return 0;
    if (text.ptr[at++] != '_') return 0;
    size_t digits = at;
    while (at < text.len && isxdigit(text.ptr[at])) at++;
    return at > digits ? at : 0;
}

/* The statement of this name on the connection; NULL: there is none any more. */
static const struct statement_pg *statement_here(struct backend *b, struct bytes server_name) {
    const struct prepared_pg *p = prepared_pg_named(&backend_pg_of(b)->prepared, server_name);
    return p ? p->statement : NULL;
}

/* One that is not answered yet. */
static bool find_pending(const struct prepared_client *pc, struct bytes server_name, struct bytes *name) {
    LIST_EACH(n, &pc->ops) {
        const struct prepared_op *op = op_at(n);
        if (!op->made || !bytes_is(server_name, op->made->name)) continue;
        *name = op_name(op);
        return true;
    }
    return false;
}

static bool is_of(const struct gone_statement *gone, const struct statement_pg *st, struct bytes server_name) {
    return (st && gone->statement == st) || memcmp(gone->statement->name, server_name.ptr, STATEMENT_PG_NAME_LEN) == 0;
}

/* One with this number (unless it is 0), else one that stands for the statement. */
static bool find_known(const struct prepared_client *pc, struct backend *b, struct bytes server_name, uint16_t number,
                       struct bytes *name) {
    const struct statement_pg *st = statement_here(b, server_name);
    struct bytes each;
    void *value;
    size_t at = 0;
    bool is_found = false;
    while (map_next(&pc->named, &at, &each, &value)) {
        const struct client_statement *known = value;
        bool is_it = number && known->number == number;
        if (is_it || known->statement == st) *name = each;
        if (is_it) return true;
        is_found |= known->statement == st;
    }
    LIST_EACH(n, &pc->gone) {
        const struct gone_statement *gone = CONTAINER_OF(n, struct gone_statement, node);
        bool is_it = number && gone->number == number;
        bool may_be_it = !is_found && is_of(gone, st, server_name);
        if (is_it || may_be_it) *name = bytes_of(gone->name, gone->name_len);
        is_found |= is_it || may_be_it;
    }
    return is_found;
}

/* The name of the client's for what begins `at`, and the length of what it replaces; 0: that is no name of gilmok's. */
static size_t client_name_for(const struct erring *e, struct bytes at, struct bytes *name) {
    const struct sql_use *use;
    if (e->text && session_pg_sql_text_find(e->text, at, &use)) {
        *name = use->name;
        return strlen(use->server);
    }
    if (bytes_starts_with(at, SQL_TEXT_OWN)) {
        struct prepared_op *op = session_pg_op_find(e->pc, e->number);
        *name = op ? op_name(op) : bytes_of("", 0);
        if (!op && e->number) (void)find_known(e->pc, e->b, at, e->number, name);
        return sizeof SQL_TEXT_OWN - 1;
    }
    struct bytes server_name = bytes_of(at.ptr, server_name_len(at));
    if (!server_name.len) return 0;
    if (find_pending(e->pc, server_name, name) || find_known(e->pc, e->b, server_name, e->number, name)) return server_name.len;
    return 0;
}

/* A text with the client's names in place of the server's. True: there were any. */
static bool put_text(const struct erring *e, struct writer *w, struct bytes text) {
    bool is_changed = false;
    for (size_t at = 0; at < text.len;) {
        struct bytes rest = bytes_of(text.ptr + at, text.len - at), name;
        size_t len = client_name_for(e, rest, &name);
        if (len) writer_put(w, name);
        else writer_u8(w, rest.ptr[0]);
        at += len ? len : 1;
        is_changed |= len > 0;
    }
    return is_changed;
}

/* A position in what was sent becomes one in the client's text. True: it is another. */
static bool put_position(const struct sql_text *text, struct writer *w, struct bytes digits) {
    uint32_t sent = 0;
    for (size_t i = 0; i < digits.len && i < 9; i++) sent = 10 * sent + (uint32_t)(digits.ptr[i] - '0');
    uint32_t position = session_pg_sql_text_position(text, sent);
    writer_fmt(w, "%u", position);
    return position != sent;
}

/* A body is fields: code (1), text, NUL; and a NUL behind the last. True: something in it has changed. */
static bool put_fields(const struct erring *e, struct writer *w, struct bytes body) {
    struct reader r = reader_over(body);
    bool is_changed = false;
    uint8_t code;
    while ((code = reader_u8(&r)) && !r.failed) {
        struct bytes text = reader_cstr(&r);
        writer_u8(w, code);
        is_changed |= code == 'P' && e->text ? put_position(e->text, w, text) : put_text(e, w, text);
        writer_u8(w, 0);
    }
    writer_u8(w, 0);
    return is_changed && !r.failed && !w->failed;
}

/*
 * A Describe tells what a statement takes before it finds that it cannot say any more what that returns. The source of a statement
 * ends as the body of a ParameterDescription is: count (2), type oids (4 each).
 */
static void tell_parameters(struct session *s, const struct statement_pg *st) {
    const uint8_t *end = memchr(st->source.ptr, 0, st->source.len);
    struct writer w;
    writer_init(&w, st->source.len + PG_HEADER_LEN);
    size_t at = pg_begin(&w, PG_B_PARAMETER_DESCRIPTION);
    if (end) writer_put(&w, bytes_of(end + 1, (size_t)(st->source.ptr + st->source.len - end - 1)));
    pg_end(&w, at);
    if (end && !w.failed) session_send(s, writer_bytes(&w));
    writer_release(&w);
}

bool session_pg_on_error(struct session *s, struct backend *b, uint8_t kind, uint16_t tag, struct bytes message) {
    struct prepared_client *pc = &session_pg_of(s)->prepared;
    struct bytes body = bytes_of(message.ptr + PG_HEADER_LEN, message.len - PG_HEADER_LEN);
    struct prepared_op *op = tag && !session_pg_unnamed_is_tag(tag) ? session_pg_op_find(pc, tag) : NULL;
    const struct left_client *left = &session_pg_of(s)->left;
    bool is_of_edit = kind == OWED_PARSE && left->edit && tag == left->edit_tag;
    struct erring e = {.pc = pc, .b = b, .number = tag, .text = op ? op->text : is_of_edit ? left->edit : NULL};
    if (op && op->is_for_describe && kind == OWED_PARSE && message.ptr[0] == PG_B_ERROR) tell_parameters(s, op->made->statement);
    if (s->pins & PIN_MODE || (message.ptr[0] == PG_B_NOTICE && !e.text)) return false;
    if (!e.text && !memmem(body.ptr, body.len, STATEMENT_PG_PREFIX, sizeof STATEMENT_PG_PREFIX - 1)) return false;
    struct writer w;
    writer_init(&w, message.len + GROWTH_MAX);
    size_t at = pg_begin(&w, message.ptr[0]);
    bool is_changed = put_fields(&e, &w, body);
    pg_end(&w, at);
    if (is_changed) session_send(s, writer_bytes(&w));
    writer_release(&w);
    return is_changed;
}
