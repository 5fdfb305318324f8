/*
 * What a client's SQL has left behind, on whichever server connection it gets.
 *
 * Every text that goes to the server is read (routing/effect.h), once: what it may leave behind is noted. When all is
 * answered, the transaction is over, and something may be there, gilmok looks (pool/state_pg.h): the client has its answer by
 * then, and only the next one to use the connection waits.
 *
 *      settings, the role          are the client's from now on, and made again wherever it goes, in the same send as its
 *                                  next message
 *      temporary objects, locks,   keep the connection for the client (a pin), until a later look finds that they are gone
 *      channels, held cursors,
 *      statements that functions   (channels may be heard otherwise: session_pg_listen.c)
 *      have prepared
 *      LOAD, setseed               likewise, for as long as the client stays
 *      nothing                     the connection goes to the next client as it is
 *
 * A client that leaves before gilmok has looked leaves a tainted connection, which is reset as a whole. What is reported by
 * the server itself is not looked for: session_pg_settings.c.
 *
 * NOT READ is a text above `inspect_limit`: there the command tags tell, and pin. In session mode nothing is.
 */
#include <stdio.h>
#include <strings.h>

#include "base/fault.h"
#include "base/map.h"
#include "base/reader.h"
#include "proxy/pool/backend_pg.h"
#include "proxy/pool/catalog_book.h"
#include "proxy/pool/catalog_change.h"
#include "proxy/session/session_pg_names.h"
#include "proxy/topology/freshness.h"
#include "proxy/wire/pg_decode.h"
#include "routing/function_pg.h"
#include "routing/setting_pg.h"

#define VERSION_IS_OLD (UINT64_C(1) << 63)

enum {
    PINS_FOUND = PIN_TEMP | PIN_LOCKS | PIN_LISTEN | PIN_CURSOR | PIN_SQL_PREPARED | PIN_FIXED,
    PINS_HERE = PINS_FOUND | PIN_LOOKING | PIN_STAYS | PIN_DESCRIBING | PIN_LENT,
    LEAVES_NOTHING = EFFECT_RESETS | EFFECT_MOVES | EFFECT_NAMED | EFFECT_EXECUTES | EFFECT_LISTS | EFFECT_LISTED,
    LOOK_FOR = EFFECT_LEAVES | EFFECT_STAYS | EFFECT_UNKNOWN,
    LOOKS_AGAIN = 2,     /* after one that failed */
    NAMES_MAX = 2 << 10, /* bytes of names of settings with a dot */
};

/* ---- reading --------------------------------------------------------------------------------------------------------- */

/* The names that this client has ever used. One too many: nobody would know what to ask for. */
void session_pg_state_on_name(void *session, struct bytes name) {
    struct session_pg *ps = session_pg_of(session);
    struct writer *names = &ps->left.names;
    if (memchr(name.ptr, 0, name.len)) return; /* no setting has such a name */
    for (size_t at = 0; at < names->len;) {
        size_t len = strlen((const char *)names->data + at);
        if (len == name.len && memcmp(names->data + at, name.ptr, len) == 0) return;
        at += len + 1;
    }
    if (!names->max) writer_init(names, NAMES_MAX);
    if (names->len + name.len + 1 > NAMES_MAX) ps->left.effects |= EFFECT_STAYS;
    else writer_cstr(names, name);
    if (names->failed) ps->left.effects |= EFFECT_STAYS;
}

/* What is known of the database, if only from before it has changed; NULL: nothing, or the configuration does not want to know. */
static const struct catalog *catalog_of(struct session *s) {
    struct pool *p = session_pool(s);
    if (p->limits.unknown_effects == UNKNOWN_EFFECTS_TRUST) return NULL;
    const struct catalog_entry *e = catalog_book_entry(p);
    return e ? e->now : NULL;
}

/* Nothing is known, or it is old: every statement is looked after, and soon somebody will have read what its names stand for. */
static unsigned doubt(const struct session *s) {
    struct catalog_entry *e = session_pool(s)->catalog;
    if (session_pool(s)->limits.unknown_effects == UNKNOWN_EFFECTS_TRUST) return 0;
    if (e) e->is_wanted = true;
    return EFFECT_LEAVES | EFFECT_EXECUTES;
}

static unsigned of_function(void *ctx, struct bytes name, const struct effect_argument *first) {
    const struct catalog *c = catalog_of(ctx);
    unsigned found = c ? catalog_of_function(c, name) : EFFECT_NO_SUCH;
    (void)first;
    bool may_be_another = !(found & EFFECT_NO_SUCH) && !catalog_entry_current(session_pool(ctx)->catalog, session_pool(ctx));
    return may_be_another ? found | EFFECT_UNKNOWN | EFFECT_EXECUTES : found;
}

static unsigned of_relation(void *ctx, struct bytes name, bool is_written) {
    const struct catalog *c = catalog_of(ctx);
    return c ? catalog_of_relation(c, name, is_written) : 0;
}

/* Stands for what the names of the database mean, in what is remembered. */
static uint64_t names_version(const struct session *s, const struct catalog *c) {
    const struct pool *p = session_pool(s);
    if (!c && !(p->limits.read_write_split && p->catalog && p->catalog->now)) return 0;
    return catalog_entry_current(p->catalog, p) ? p->catalog->version : p->catalog->version | VERSION_IS_OLD;
}

static bool is_certain(uint64_t version) {
    return version && !(version & VERSION_IS_OLD);
}

/* NULL: where it may go is nobody's question, or nothing is known to answer it by. */
static const struct classify_facts *facts_of(const struct session *s) {
    struct pool *p = session_pool(s);
    return p->limits.read_write_split && catalog_book_entry(p) ? catalog_entry_facts(p->catalog, p) : NULL;
}

/* `facts`: of facts_of(). */
static struct effect_reading read_anew(struct session *s, const struct sql_options *options, uint64_t version,
                                       const struct classify_facts *facts, struct bytes text) {
    struct session_env *env = s->env;
    const struct classify_options routing = {
        .facts = facts, .takes_hints = true,
        .read_functions = bytes_str(facts ? session_pool(s)->read_functions : ""),
        .write_functions = bytes_str(facts ? session_pool(s)->write_functions : "")};
    const struct effect_names names = {
        .of_function = of_function, .of_relation = of_relation, .on_setting = session_pg_state_on_name, .has_parameter = true,
        .ctx = s};
    if (!env->effects) env->effects = effect_cache_new();
    return effect_cache_of(env->effects, text, options, version, &env->arena, &names, facts ? &routing : NULL);
}

/* As it was read before, or is now. */
static struct effect_reading read_text(struct session *s, const struct sql_options *options, uint64_t version,
                                       const struct classify_facts *facts, struct bytes text) {
    const struct effect_reading *seen = effect_cache_find(s->env->effects, text, options, version, facts != NULL);
    return LIKELY(seen != NULL) ? *seen : read_anew(s, options, version, facts, text);
}

/* Of a source: what its first parameter is given is what the server reads, byte by byte. */
static bool is_text_first(struct bytes source) {
    enum { TEXT_OID = 25, VARCHAR_OID = 1043 };
    struct reader r = reader_over(source);
    reader_cstr(&r);
    uint16_t types = reader_be16(&r);
    uint32_t first = types ? reader_be32(&r) : 0;
    return !r.failed && (first == 0 || first == TEXT_OID || first == VARCHAR_OID);
}

unsigned session_pg_state_effects(struct session *s, const struct backend *b, struct bytes source, struct effect_reading *kept) {
    struct effect_reading reading = {0};
    const struct catalog *c = catalog_of(s);
    const struct sql_options *options = session_pg_settings_options(s, b);
    uint64_t version = names_version(s, c);
    if (!kept) kept = source.ptr && source.ptr == session_pg_of(s)->left.judged ? &session_pg_of(s)->left.judgement : &reading;
    if (!effect_reading_holds(kept, options, version)) {
        const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
        if (!end) return EFFECT_LEAVES;
        *kept = read_text(s, options, version, facts_of(s), bytes_of(source.ptr, (size_t)(end - source.ptr)));
    }
    session_pg_of(s)->left.read_version = version;
    session_pg_of(s)->left.reads = kept->is_placed && !kept->may_write;
    unsigned effects = kept->effects | (c ? catalog_everywhere(c) : 0) | (is_certain(version) ? 0 : doubt(s));
    if (effects & EFFECT_DISCARD) effects &= ~(unsigned)EFFECT_EXECUTES; /* it runs no code, and suffers nothing in front of it */
    return UNLIKELY(effects & EFFECT_NAMED) && !is_text_first(source) ? effects | EFFECT_STAYS : effects;
}

/* False: where it may go is not known. */
static RARELY bool read_place(struct session *s, const struct sql_options *options, uint64_t version, struct bytes text,
                              struct effect_reading *kept) {
    const struct classify_facts *facts = facts_of(s);
    if (facts) *kept = read_anew(s, options, version, facts, text);
    return facts && kept->is_placed;
}

const struct effect_reading *session_pg_state_reading(struct session *s, struct bytes source, struct effect_reading *kept) {
    struct left_client *left = &session_pg_of(s)->left;
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    uint64_t version = names_version(s, catalog_of(s));
    s->route = ROUTE_CATALOG; /* unless it is found to be something else */
    bool may_be_known = options && is_certain(version) && session_pool(s)->limits.read_write_split;
    /*
     * A reading with a place holds as long as its facts: those that are replaced, or gone, come with another version, and those
     * that may be out of date with none that is certain.
     */
    if (kept && LIKELY(may_be_known) && effect_reading_holds(kept, options, version) && kept->is_placed) return kept;
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    if (!end) s->route = ROUTE_NOT_IN_HAND;
    if (UNLIKELY(!end || !may_be_known)) return NULL;
    if (!kept) {
        kept = &left->judgement;
        kept->is_known = false; /* that was another text */
        left->judged = source.ptr;
    }
    struct bytes text = bytes_of(source.ptr, (size_t)(end - source.ptr));
    const struct effect_reading *seen = effect_cache_find(s->env->effects, text, options, version, true);
    if (LIKELY(seen != NULL)) *kept = *seen;
    else if (!read_place(s, options, version, text, kept)) return NULL;
    return kept;
}

void session_pg_state_refuse(struct session *s, struct bytes source, struct effect_reading *kept) {
    const struct sql_options *options = session_pg_settings_options(s, s->lessee.backend);
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    bool of_copy = session_pg_of(s)->is_refused_by_copy;
    if (kept) effect_reading_refuse(kept, of_copy);
    if (!options || !end) return;
    struct bytes text = bytes_of(source.ptr, (size_t)(end - source.ptr));
    effect_cache_refuse(s->env->effects, text, options, names_version(s, catalog_of(s)), of_copy);
}

static bool is_same_history(const struct log_place *a, const struct log_place *b) {
    return a->system_id == b->system_id && a->timeline == b->timeline;
}

/* All that its tokens say is kept: of one history the later place, of others what was written before they were set. */
static void note_place(struct session_pg *ps, const struct log_place *at, uint64_t now_us) {
    struct site_place *p = &ps->place;
    bool is_other = p->at.lsn && !is_same_history(&p->at, at);
    if (is_other) ps->base.written_us = p->since_us > ps->base.written_us ? p->since_us : ps->base.written_us;
    if (p->at.lsn && !is_other && p->at.lsn >= at->lsn) return;
    *p = (struct site_place){.at = *at, .since_us = now_us};
    ps->base.given_up_us = 0; /* it may wait for this one */
}

/* What it stands for was written before it was set. Where it does not say whose log it means: as if by this client, just now. */
static void take_token(struct session_pg *ps, const char *token) {
    uint64_t digest = token && *token ? map_hash(bytes_str(token)) | 1 : 0, now_us;
    struct token_pg t;
    if (!digest || digest == ps->token) {
        ps->token = digest;
        return;
    }
    ps->token = digest;
    now_us = clock_now_us(ps->base.env->loop->clock);
    if (!token_pg_read(bytes_str(token), &t)) ps->base.written_us = now_us;
    else note_place(ps, &(struct log_place){t.system_id, freshness_end(t.lsn), t.timeline}, now_us);
}

/* One of gilmok's own, as the client has set it: names of settings are the same in any case. NULL: it has not. */
static const char *own_setting(const struct session_pg *ps, const char *name) {
    for (uint32_t i = 0; i < ps->left.state.count; i++)
        if (strcasecmp(ps->left.state.items[i].name, name) == 0) return ps->left.state.items[i].value;
    return NULL;
}

void session_pg_state_on_state(struct session_pg *ps) {
    const char *route = own_setting(ps, "gilmok.route");
    ps->left.wants_primary = route && strcmp(route, hint_route_name(HINT_PRIMARY)) == 0;
    const char *consistency = own_setting(ps, "gilmok.read_consistency");
    ps->left.consistency = HINT_NO_CONSISTENCY;
    for (enum hint_consistency c = HINT_EVENTUAL; consistency && c <= HINT_STRONG; c++)
        if (strcmp(consistency, hint_consistency_name(c)) == 0) ps->left.consistency = (uint8_t)c;
    take_token(ps, own_setting(ps, TOKEN_PG_SETTING));
}

const struct classify_facts *session_pg_state_facts(struct session *s) {
    return is_certain(names_version(s, catalog_of(s))) ? facts_of(s) : NULL;
}

/*
 * So pg_dump begins. Where its reads could be sent to a replica it stays on the primary: in its transaction, which is READ ONLY,
 * stands what a replica would be refused. Among replicas it must be free to go where its snapshot is.
 */
static unsigned effects_of_list(const struct session *s, unsigned effects) {
    return effects & EFFECT_LISTED && !session_pool(s)->is_spread ? effects | EFFECT_STAYS : effects;
}

/* As the configuration wants it. */
static unsigned effects_of_unknown(const struct session *s, unsigned effects) {
    if (!(effects & EFFECT_UNKNOWN)) return effects;
    switch (session_pool(s)->limits.unknown_effects) {
    case UNKNOWN_EFFECTS_PIN: return effects | EFFECT_STAYS;
    case UNKNOWN_EFFECTS_TRUST: return effects & ~(unsigned)EFFECT_UNKNOWN;
    default: return effects;
    }
}

static unsigned as_configured(const struct session *s, unsigned effects) {
    effects = effects_of_list(s, effects_of_unknown(s, effects));
    bool pins = effects & EFFECT_NEXTVAL && session_pool(s)->limits.session_sequences == SESSION_SEQUENCES_PIN;
    return pins ? effects | EFFECT_STAYS : effects;
}

/* ---- messages -------------------------------------------------------------------------------------------------------- */

/* Of what runs on the primary: reads that come behind it must find what it writes (session_pg_route.c). */
static void note_write(struct session *s) {
    if (session_pool(s)->limits.read_write_split && !session_is_at_replica(s)) s->has_written = true;
}

/* The same with a text that was just read. */
static unsigned running(struct session *s, unsigned effects) {
    if (!session_pg_of(s)->left.reads) note_write(s);
    return effects;
}

/* What is not in hand as a whole is judged by its tags (backend_pg.c). */
static unsigned distrust(struct session *s, struct backend *b) {
    note_write(s);
    backend_pg_of(b)->trusts_texts = false;
    return EFFECT_MOVES;
}

/* Of a function called by its number. */
static unsigned effects_of_function(struct session *s, struct bytes body) {
    struct reader r = reader_over(body);
    const struct catalog *c = catalog_of(s);
    uint32_t oid = reader_be32(&r);
    char key[16];
    if (!r.failed && oid < FUNCTION_PG_OID_END) return function_pg_effects_of_oid(oid);
    snprintf(key, sizeof key, "%u", oid);
    unsigned found = c ? catalog_effects(c, catalog_find(c, CATALOG_FUNCTION, bytes_str(key))) : 0;
    return found | EFFECT_LEAVES | function_pg_effects(FUNCTION_UNKNOWN);
}

/* With those of the statements that it executes by name. */
static unsigned effects_when_run(struct session *s, struct backend *b, struct bytes source, unsigned effects) {
    const uint8_t *end = source.len ? memchr(source.ptr, 0, source.len) : NULL;
    if (!(effects & EFFECT_STATEMENTS)) return effects;
    if (!end) return effects | EFFECT_LEAVES | EFFECT_NEXTVAL | EFFECT_CURRVAL | EFFECT_MOVES;
    unsigned run = session_pg_sql_effects(s, b, bytes_of(source.ptr, (size_t)(end - source.ptr)));
    return effects | (run & EFFECT_NAMED ? (run & ~(unsigned)EFFECT_NAMED) | EFFECT_STAYS : run); /* its $1 is no value of a Bind */
}

static unsigned effects_of_bind(struct session *s, struct backend *b, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct bytes name = m->statement;
    if (!m->has_names) return distrust(s, b);
    if (!name.len) {
        if (!ps->left.unnamed_reads) note_write(s);
        bool means_the_same = ps->left.unnamed_version == names_version(s, catalog_of(s));
        struct bytes latest = session_pg_unnamed_latest(ps);
        unsigned effects = ps->left.unnamed;
        if (!means_the_same) effects |= EFFECT_LEAVES | session_pg_state_effects(s, b, latest, NULL);
        return effects_when_run(s, b, latest, effects);
    }
    struct statement_pg *st = session_pg_prepared_statement(ps, name);
    if (st) return effects_when_run(s, b, st->source, running(s, session_pg_state_effects(s, b, st->source, &st->reading)));
    bool is_none = session_pg_prepared_is_none(ps, name); /* it is refused: 26000 */
    return is_none ? 0 : distrust(s, b); /* one that has a name of its own there */
}

/*
 * It is carried out by a Bind: here the unnamed one is read, and what has no copy. After an error the server may skip it: then a
 * Bind runs the one before.
 */
static void read_parse(struct session *s, struct backend *b, struct bytes body, bool is_whole) {
    struct left_client *left = &session_pg_of(s)->left;
    bool may_reset = session_pg_reset_matters(session_pg_of(s));
    const uint8_t *name_end = pg_parse_name_end(body);
    bool is_unnamed = body.len && !body.ptr[0];
    unsigned effects = 0;
    if (is_whole && name_end && (is_unnamed || may_reset))
        effects = session_pg_state_effects(s, b, bytes_of(name_end + 1, body.len - (size_t)(name_end + 1 - body.ptr)), NULL);
    if (effects & EFFECT_RESETS && may_reset) left->is_reset_here = true;
    if (!is_whole) effects |= distrust(s, b);
    if (!is_unnamed) return;
    left->unnamed_reads = is_whole && left->reads && session_pg_unnamed_is_certain(b);
    left->parsed = effects;
    left->unnamed_version = left->read_version;
    left->unnamed = session_pg_unnamed_is_certain(b) ? effects : left->unnamed | effects;
}

/* A setting is named by the first value of a Bind; of anything else that says so nobody knows the name. */
static unsigned with_name(struct session *s, const struct message *m, unsigned effects) {
    struct bytes value;
    bool is_known = m->h.type == PG_F_BIND && pg_bind_first(bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN), &value);
    if (!is_known) return effects | EFFECT_STAYS;
    if (setting_pg_is_unlisted(value)) session_pg_state_on_name(s, value);
    return effects;
}

/* A portal of an earlier group may be of anything. */
static unsigned effects_of_execute(const struct left_client *left, struct bytes body) {
    bool is_known = left->has_bound && body.len && !body.ptr[0];
    return is_known ? 0 : EFFECT_MOVES;
}

static bool may_have_effects(uint8_t type) {
    return type == PG_F_QUERY || type == PG_F_PARSE || type == PG_F_BIND || type == PG_F_EXECUTE || type == PG_F_FUNCTION_CALL;
}

static unsigned effects_of_message(struct session *s, struct backend *b, const struct message *m) {
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    bool is_whole = m->avail == m->h.total;
    switch (m->h.type) {
    case PG_F_QUERY:
        if (!is_whole) return distrust(s, b);
        return effects_when_run(s, b, body, running(s, session_pg_state_effects(s, b, body, NULL)));
    case PG_F_PARSE: read_parse(s, b, body, is_whole); return 0;
    case PG_F_BIND: return effects_of_bind(s, b, m);
    case PG_F_EXECUTE: return effects_of_execute(&session_pg_of(s)->left, body);
    case PG_F_FUNCTION_CALL: note_write(s); return effects_of_function(s, body);
    default: return 0;
    }
}

unsigned session_pg_state_message_effects(struct session *s, const struct message *m) {
    struct backend *b = s->lessee.backend;
    struct bytes body = bytes_of(m->ptr + PG_HEADER_LEN, m->avail - PG_HEADER_LEN);
    const uint8_t *source = m->h.type == PG_F_PARSE && body.len ? memchr(body.ptr, 0, body.len) : NULL;
    if (m->h.type != PG_F_PARSE) return as_configured(s, effects_of_message(s, b, m));
    if (!source || m->avail < m->h.total) return EFFECT_CHANNELS;
    struct bytes rest = bytes_of(source + 1, (size_t)(body.ptr + body.len - source - 1));
    return as_configured(s, session_pg_state_effects(s, b, rest, NULL));
}

/* False for some that are: those with a semicolon in a string, say. */
static bool is_one_statement(const struct message *m) {
    if (m->h.type != PG_F_QUERY) return true;
    const uint8_t *end = m->ptr + m->avail, *at = memchr(m->ptr + PG_HEADER_LEN, ';', m->avail - PG_HEADER_LEN);
    while (at && at < end && (*at == ';' || *at <= ' ')) at++;
    return !at || at == end;
}

/* Begins, or may be made now by its COMMIT. What is its own doing is no news to it. */
static void change_catalog(struct left_client *left, struct backend *b, unsigned effects) {
    if (effects & EFFECT_CATALOG) catalog_change_begin(b);
    else catalog_change_goes_on(b);
    left->changes_seen++;
}

bool session_pg_state_on_message(struct session *s, const struct message *m) {
    struct session_pg *ps = session_pg_of(s);
    struct backend *b = s->lessee.backend;
    ps->left.will_move = ps->left.is_reset_named = false;
    ps->left.latest = 0;
    if (s->pins & PIN_MODE || !may_have_effects(m->h.type)) return false;
    if (!ps->left.changes_seen) ps->left.changes_seen = catalog_changes_seen(session_pool(s)->set);
    unsigned effects = effects_of_message(s, b, m);
    ps->left.latest = effects;
    effects &= ~(unsigned)EFFECT_STATEMENTS;
    effects = as_configured(s, effects);
    if (UNLIKELY(effects & EFFECT_NAMED)) effects = with_name(s, m, effects);
    if (effects & EFFECT_RESETS && session_pg_reset_matters(ps)) ps->left.is_reset_here = true;
    ps->left.will_move = effects & EFFECT_MOVES;
    if (m->h.type == PG_F_BIND) ps->left.has_bound = true;
    if (UNLIKELY(effects & EFFECT_CATALOG || (b->changes_catalog && effects & EFFECT_MOVES))) change_catalog(&ps->left, b, effects);
    ps->left.effects |= effects & ~(unsigned)LEAVES_NOTHING;
    if (ps->left.effects & LOOK_FOR) b->is_tainted = true;
    return effects & (EFFECT_NEXTVAL | EFFECT_CURRVAL) && session_pg_sequences_must_go(s, effects, is_one_statement(m));
}

bool session_pg_state_needs_more(const struct session *s, const struct message *m) {
    if (s->pins & PIN_MODE || m->h.total > s->env->config->inspect_limit) return false;
    return m->h.type == PG_F_QUERY || m->h.type == PG_F_PARSE;
}

/* ---- looking --------------------------------------------------------------------------------------------------------- */

/* Somebody else may have changed what the names in the texts stand for, behind the reading of them: they may have left anything. */
static unsigned effects_of_others(struct session *s, struct backend *b) {
    struct left_client *left = &session_pg_of(s)->left;
    catalog_change_rests(b);
    bool may_be_others = left->changes_seen && catalog_has_changed_since(session_pool(s)->set, left->changes_seen);
    left->changes_seen = 0;
    catalog_change_end(b);
    return may_be_others ? effects_of_unknown(s, EFFECT_UNKNOWN) : 0;
}

/* What the texts alone have said, and what the tags of those that were not read. */
static unsigned effects_so_far(struct session *s, struct backend_pg *bp) {
    struct session_pg *ps = session_pg_of(s);
    unsigned effects = ps->left.effects | effects_of_others(s, &bp->base);
    if (bp->saw_untold) effects |= EFFECT_LEAVES | EFFECT_STAYS;
    bp->saw_untold = false;
    ps->left.effects = 0;
    if (effects & EFFECT_STAYS) ps->left.stays = true;
    return effects;
}

static RARELY void look(struct session *s, struct backend *b) {
    struct writer sql;
    const struct catalog *c = catalog_of(s);
    struct bytes others = c ? catalog_settings(c) : bytes_of(NULL, 0);
    writer_init(&sql, STATE_PG_LOOK_MAX);
    const struct left_client *left = &session_pg_of(s)->left;
    if (!state_pg_put_look(&sql, writer_bytes(&left->names), others, session_pg_listen_wants_names(s), &left->state)) {
        s->pins |= PIN_STAYS;
        session_pg_listen_on_no_look(s);
    } else if (backend_pg_look(b, writer_bytes(&sql))) {
        s->pins |= PIN_LOOKING;
    }
    writer_release(&sql);
}

/* Who is pinned for another reason anyway is not looked at, unless something would be missed (`is_wanted`). */
static bool is_kept_from_looking(const struct session *s, bool is_wanted) {
    uint32_t others = s->pins & (uint32_t)~(PINS_FOUND | PIN_STAYS | PIN_DESCRIBING | PIN_LENT);
    if (is_wanted) others &= PIN_MODE | PIN_LOOKING | PIN_HANDING | PIN_UNNAMED;
    return others != 0;
}

/* Who is not looked at has made its change all the same. */
static void end_change(struct session_pg *ps, struct backend *b) {
    if (!b->changes_catalog) return;
    catalog_change_end(b);
    if (ps->left.changes_seen) ps->left.changes_seen++;
}

void session_pg_state_settle(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    bool is_due = ps->listen && session_pg_listen_is_due(ps);
    bool is_wanted = is_due || session_pg_startup_awaits_look(ps);
    if (is_kept_from_looking(s, is_wanted)) {
        end_change(ps, b);
        if (is_due && !(s->pins & (PIN_LOOKING | PIN_HANDING))) session_pg_listen_on_no_look(s);
        return;
    }
    unsigned effects = effects_so_far(s, backend_pg_of(b));
    if (ps->left.stays) { /* all that it leaves stays with it, and is reset when it leaves: there is nothing else to look for */
        s->pins |= PIN_STAYS;
        b->is_tainted = true;
        if (!is_wanted) return;
    }
    bool wants = effects & LOOK_FOR || (effects & EFFECT_TAKES && s->pins & PINS_FOUND);
    if (wants) look(s, b);
    else if (UNLIKELY(ps->listen)) session_pg_listen_settle(s, b);
}

static uint32_t pins_of(unsigned rest) {
    uint32_t pins = 0;
    if (rest & STATE_PG_TEMP) pins |= PIN_TEMP;
    if (rest & STATE_PG_LOCKS) pins |= PIN_LOCKS;
    if (rest & STATE_PG_LISTENS) pins |= PIN_LISTEN;
    if (rest & STATE_PG_CURSORS) pins |= PIN_CURSOR;
    if (rest & STATE_PG_PREPARED) pins |= PIN_SQL_PREPARED;
    if (rest & STATE_PG_FIXED) pins |= PIN_FIXED;
    return pins;
}

/*
 * What is there is not known. A cancel request for the client's statement may have come late, and hit the look: it is tried again.
 * But the client may have a very short statement_timeout: then it keeps the connection until the next look.
 */
static void on_no_look(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    bool may_try = ps->left.failed_looks < LOOKS_AGAIN && ledger_is_quiet(&b->ledger) && b->ledger.txn == TXN_NONE;
    if (may_try) {
        ps->left.failed_looks++;
        look(s, b);
        return;
    }
    ps->left.failed_looks = 0;
    ps->left.effects |= EFFECT_LEAVES;
    s->pins |= PIN_FIXED;
    session_pg_listen_on_no_look(s);
}

void session_pg_state_on_looked(struct session *s, struct backend *b, struct bytes rows, bool ok) {
    struct session_pg *ps = session_pg_of(s);
    struct backend_pg *bp = backend_pg_of(b);
    struct state_pg found = {0};
    struct writer channels, prepared;
    unsigned rest;
    if (s->state == SESSION_LOGIN_WAITING) {
        session_pg_startup_on_looked(s, b, rows, ok);
        return;
    }
    writer_init(&channels, STATE_PG_ANSWER_MAX);
    writer_init(&prepared, STATE_PG_ANSWER_MAX);
    s->pins &= (uint32_t)~(PINS_FOUND | PIN_LOOKING);
    ok = ok && state_pg_read(&found, &rest, &channels, &prepared, rows, &bp->params, &bp->start) &&
         state_pg_copy(&bp->state, &found) && session_pg_startup_add(ps, &found);
    if (ok) {
        s->pins |= pins_of(rest);
        state_pg_release(&ps->left.state);
        ps->left.state = found;
        session_pg_state_on_state(ps);
        ps->left.failed_looks = 0;
        b->is_tainted = s->pins & (PINS_FOUND | PIN_STAYS) || ps->left.effects & LOOK_FOR;
        if (UNLIKELY(s->pins & PIN_LENT)) session_pg_lend_on_looked(s, b, writer_bytes(&prepared));
        session_pg_listen_on_found(s, b, &channels);
    } else {
        state_pg_release(&found);
        on_no_look(s, b);
    }
    if (!(s->pins & PIN_LOOKING)) bp->saw_discard = false; /* else it is looked again */
    writer_release(&channels);
    writer_release(&prepared);
}

/* ---- moving ---------------------------------------------------------------------------------------------------------- */

bool session_pg_state_prepare(struct session *s, struct backend *b) {
    struct session_pg *ps = session_pg_of(s);
    struct backend_pg *bp = backend_pg_of(b);
    bp->trusts_texts = !(s->pins & PIN_MODE);
    if (UNLIKELY(ps->listen)) session_pg_listen_prepare(s, b);
    bool has_stayed = s->pins & (PIN_MODE | PINS_HERE); /* and what it left, unless code has reset startup values */
    if (ps->left.effects || s->pins & PIN_LOOKING || (has_stayed && !session_pg_startup_awaits_look(ps))) return true;
    if (!has_stayed && UNLIKELY(session_pg_sequences_must_go_first(s, b)) && !backend_pg_discard_sequences(b, false)) return false;
    if (state_pg_equal(&bp->state, &ps->left.state)) return true;
    return backend_pg_change_state(b, &ps->left.state);
}

void session_pg_state_release(struct session_pg *ps) {
    state_pg_release(&ps->left.state);
    writer_release(&ps->left.names);
}
