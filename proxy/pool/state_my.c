/*
 * Settings as one piece of memory, in the order in which they are to be said:
 *
 *      class 1 | is_string 1 | length of the name 1 | length of the value 2, big-endian | name | value
 *
 * Two lists with the same settings are the same bytes.
 */
#include "proxy/pool/state_my.h"

#include "base/fault.h"
#include "base/reader.h"
#include "proxy/wire/my_encode.h"
#include "routing/variable_my.h"

/* What is said first stands first. */
enum class { CLASS_NAMES, CLASS_CHARSET, CLASS_VARIABLE, CLASS_USER };

enum { ITEM_HEAD = 5 };

struct state_my {
    uint32_t refs;
    uint32_t len;
    bool has_strings; /* user variables with strings, which are in the character set of when they were set */
    uint8_t data[];
};

struct item {
    enum class class;
    bool is_string;
    struct bytes name, value;
};

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static struct reader items_of(const struct state_my *s) {
    return reader_over(s ? bytes_of(s->data, s->len) : bytes_of(NULL, 0));
}

static bool next_item(struct reader *r, struct item *out) {
    if (!reader_left(r)) return false;
    out->class = (enum class)reader_u8(r);
    out->is_string = reader_u8(r);
    uint8_t name_len = reader_u8(r);
    uint16_t value_len = reader_be16(r);
    out->name = reader_take(r, name_len);
    out->value = reader_take(r, value_len);
    return !r->failed;
}

/* Below 0: `a` stands before `b`; 0: they are about the same. */
static int order(const struct item *a, const struct item *b) {
    if (a->class != b->class) return a->class < b->class ? -1 : 1;
    size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    int by_bytes = len ? memcmp(a->name.ptr, b->name.ptr, len) : 0;
    if (by_bytes) return by_bytes;
    return a->name.len == b->name.len ? 0 : a->name.len < b->name.len ? -1 : 1;
}

static bool is_same_item(const struct item *a, const struct item *b) {
    return order(a, b) == 0 && a->is_string == b->is_string && bytes_equal(a->value, b->value);
}

bool state_my_is_same(const struct state_my *a, const struct state_my *b) {
    if (a == b) return true;
    return a && b && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static bool find(const struct state_my *s, const struct item *about, struct item *out) {
    struct reader r = items_of(s);
    while (next_item(&r, out))
        if (order(out, about) == 0) return true;
    return false;
}

struct bytes state_my_value(const struct state_my *s, const char *name) {
    struct reader r = items_of(s);
    struct item item;
    while (next_item(&r, &item))
        if ((item.class == CLASS_VARIABLE || item.class == CLASS_CHARSET) && bytes_is(item.name, name)) return item.value;
    return bytes_of(NULL, 0);
}

/* Those of a list that are about character sets. */
static struct bytes charsets_of(const struct state_my *s) {
    struct reader r = items_of(s);
    struct item item;
    size_t len = 0;
    while (next_item(&r, &item) && item.class <= CLASS_CHARSET) len = s->len - reader_left(&r);
    return bytes_of(s ? s->data : NULL, len);
}

struct bytes state_my_charset(const struct state_my *s) {
    struct bytes own = state_my_value(s, "character_set_client");
    struct reader r = items_of(s);
    struct item first;
    if (own.len || !next_item(&r, &first) || first.class != CLASS_NAMES) return own;
    return first.value;
}

/* ---- references ------------------------------------------------------------------------------------------------------ */

struct state_my *state_my_ref(struct state_my *s) {
    if (s) s->refs++;
    return s;
}

void state_my_unref(struct state_my *s) {
    if (s && --s->refs == 0) mem_free(s);
}

/* Of what is not empty. */
static struct state_my *make(struct bytes data, bool has_strings) {
    struct state_my *s = mem_alloc(sizeof *s + data.len);
    if (!s) return NULL;
    s->refs = 1;
    s->len = (uint32_t)data.len;
    s->has_strings = has_strings;
    memcpy(s->data, data.ptr, data.len);
    return s;
}

bool state_my_own(struct state_my **s) {
    struct state_my *old = *s;
    if (!old || old->refs == 1) return true;
    *s = make(bytes_of(old->data, old->len), old->has_strings);
    state_my_unref(old);
    return *s != NULL;
}

/* ---- changing -------------------------------------------------------------------------------------------------------- */

static void put_item(struct writer *w, const struct item *item) {
    writer_u8(w, (uint8_t)item->class);
    writer_u8(w, item->is_string);
    writer_u8(w, (uint8_t)item->name.len);
    writer_be16(w, (uint16_t)item->value.len);
    writer_put(w, item->name);
    writer_put(w, item->value);
}

static bool is_charset_name(struct bytes name) {
    return bytes_is(name, "character_set_client") || bytes_is(name, "character_set_results") ||
           bytes_is(name, "character_set_connection") || bytes_is(name, "collation_connection");
}

static bool is_connection_name(struct bytes name) {
    return bytes_is(name, "character_set_connection") || bytes_is(name, "collation_connection");
}

static struct item item_of(const struct effect_my_setting *s) {
    struct item item = {.name = s->name, .value = s->value, .is_string = s->kind == SETTING_MY_USER && s->is_string};
    if (s->kind == SETTING_MY_NAMES) item.class = CLASS_NAMES;
    else if (s->kind == SETTING_MY_USER) item.class = CLASS_USER;
    else item.class = is_charset_name(s->name) ? CLASS_CHARSET : CLASS_VARIABLE;
    return item;
}

/* What the connection begins with, or never had: nothing has to be said for it. A login's character sets are its own. */
static bool is_as_begun(const struct item *item) {
    if (item->class == CLASS_USER) return !item->is_string && bytes_is(item->value, "NULL");
    return item->class == CLASS_VARIABLE && bytes_is(item->value, "DEFAULT");
}

/* The old one gives way to the new one: NAMES to all about character sets, a character set to its collation and the reverse. */
static bool gives_way(const struct item *old, const struct item *new) {
    if (order(old, new) == 0) return true;
    if (new->class == CLASS_NAMES) return old->class == CLASS_CHARSET;
    return old->class == CLASS_CHARSET && new->class == CLASS_CHARSET && is_connection_name(old->name) &&
           is_connection_name(new->name);
}

/* All of the old list that stays, and the new setting in its place. */
static void put_changed(struct writer *w, const struct state_my *old, const struct item *new, bool *has_strings) {
    struct reader r = items_of(old);
    struct item item;
    bool is_put = is_as_begun(new);
    while (next_item(&r, &item)) {
        if (!is_put && order(new, &item) < 0) {
            put_item(w, new);
            is_put = true;
        }
        if (gives_way(&item, new)) continue;
        put_item(w, &item);
        *has_strings |= item.class == CLASS_USER && item.is_string;
    }
    if (!is_put) put_item(w, new);
    *has_strings |= new->class == CLASS_USER && new->is_string && !is_as_begun(new);
}

static bool change(struct state_my **s, const struct item *new) {
    struct state_my *old = *s;
    struct item known;
    bool is_known = find(old, new, &known) && is_same_item(&known, new);
    if (is_known && (new->class != CLASS_NAMES || charsets_of(old).len == ITEM_HEAD + new->value.len)) return true;
    if (old && old->has_strings && (new->class == CLASS_NAMES || new->class == CLASS_CHARSET)) return false;
    if (new->name.len > STATE_MY_NAME_MAX || new->value.len > STATE_MY_BYTES_MAX) return false;
    struct writer w;
    bool has_strings = false;
    writer_init(&w, STATE_MY_BYTES_MAX);
    put_changed(&w, old, new, &has_strings);
    struct bytes data = writer_bytes(&w);
    struct state_my *made = data.len ? make(data, has_strings) : NULL;
    bool is_ok = !w.failed && (made || !data.len);
    writer_release(&w);
    if (!is_ok) return false;
    state_my_unref(old);
    *s = made;
    return true;
}

/*
 * A user variable that becomes NULL keeps its type, and for a string its character set: it is said with a value of that type first,
 * as `5, @`a`=NULL`. False: the name does not fit.
 */
static bool empty_variable(struct state_my **s, struct item *item, const struct item *known) {
    uint8_t end[STATE_MY_NAME_MAX + 16];
    struct writer w, value;
    writer_init_fixed(&w, end, sizeof end);
    writer_fmt(&w, ", @`%.*s`=NULL", (int)item->name.len, (const char *)item->name.ptr);
    struct bytes behind = writer_bytes(&w), had = known->value;
    bool is_null = had.len > behind.len && memcmp(had.ptr + had.len - behind.len, behind.ptr, behind.len) == 0;
    if (w.failed || is_null) return is_null;
    writer_init(&value, STATE_MY_BYTES_MAX);
    writer_put(&value, known->is_string ? bytes_str("''") : had);
    writer_put(&value, behind);
    item->is_string = known->is_string;
    item->value = writer_bytes(&value);
    bool is_ok = !value.failed && change(s, item);
    writer_release(&value);
    return is_ok;
}

bool state_my_set(struct state_my **s, const struct effect_my_setting *setting) {
    struct item item = item_of(setting), known;
    bool is_empty = item.class == CLASS_USER && is_as_begun(&item) && find(*s, &item, &known);
    return is_empty ? empty_variable(s, &item, &known) : change(s, &item);
}

/* What is about transactions settles nothing, and must not change in one; nor does the clock. */
static bool is_about_transactions(struct bytes name) {
    return bytes_is(name, "autocommit") || bytes_is(name, "timestamp") || bytes_is(name, "transaction_isolation") ||
           bytes_is(name, "transaction_read_only");
}

static bool is_reading(const struct item *item, enum state_my_reach reach) {
    if (item->class == CLASS_USER) return reach == STATE_MY_SETTLED_USERS;
    if (item->class <= CLASS_CHARSET || bytes_is(item->name, "sql_mode")) return true;
    return reach != STATE_MY_READING && !is_about_transactions(item->name);
}

/* Of user variables only the type matters: one letter for strings and for common numbers, else the number as it is written. */
static struct bytes type_of(struct bytes value, bool is_string) {
    if (is_string) return bytes_str("s");
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < '0' || value.ptr[i] > '9') return value;
    return value.len <= 18 ? bytes_str("i") : value; /* of more digits it may have no sign, or be a decimal */
}

void state_my_put_reading(struct writer *w, const struct state_my *s, enum state_my_reach reach) {
    struct reader r = items_of(s);
    struct item item;
    while (next_item(&r, &item)) {
        if (!is_reading(&item, reach)) continue;
        if (item.class == CLASS_USER) item.value = type_of(item.value, item.is_string);
        put_item(w, &item);
    }
}

/* The next one that is of that part, or that is not. */
static bool next_of(struct reader *r, bool reads, enum state_my_reach reach, struct item *out) {
    while (next_item(r, out))
        if (is_reading(out, reach) == reads) return true;
    return false;
}

bool state_my_read_as(struct state_my *base, const struct state_my *reading, enum state_my_reach reach, struct state_my **out) {
    struct reader a = items_of(base), b = items_of(reading);
    struct item own, other;
    struct writer w;
    bool has_own = next_of(&a, false, reach, &own), has_other = next_of(&b, true, reach, &other);
    writer_init(&w, 2 * STATE_MY_BYTES_MAX);
    while (has_own || has_other) {
        bool is_own = !has_other || (has_own && order(&own, &other) < 0);
        put_item(&w, is_own ? &own : &other);
        if (is_own) has_own = next_of(&a, false, reach, &own);
        else has_other = next_of(&b, true, reach, &other);
    }
    struct bytes data = writer_bytes(&w);
    const struct state_my *of_users = reach == STATE_MY_SETTLED_USERS ? reading : base;
    *out = data.len ? make(data, of_users && of_users->has_strings) : NULL;
    bool is_ok = !w.failed && (*out || !data.len);
    writer_release(&w);
    return is_ok;
}

/* ---- beginnings ------------------------------------------------------------------------------------------------------ */

/* 'value', or NULL. What start_my.h reads has nothing that ends a string. */
static struct bytes quoted(struct bytes value, uint8_t *out) {
    if (!value.ptr) return bytes_str("NULL");
    out[0] = '\'';
    memcpy(out + 1, value.ptr, value.len);
    out[value.len + 1] = '\'';
    return bytes_of(out, value.len + 2);
}

static bool set_quoted(struct state_my **s, const char *name, struct bytes value) {
    uint8_t *storage = mem_alloc(value.len + 2);
    if (!storage) return false;
    struct bytes said = quoted(value, storage);
    struct effect_my_setting setting = {.kind = SETTING_MY_VARIABLE, .name = bytes_str(name), .value = said};
    bool is_ok = state_my_set(s, &setting);
    mem_free(storage);
    return is_ok;
}

static bool has_charsets(const struct state_my *s) {
    return s && (s->data[0] == CLASS_NAMES || s->data[0] == CLASS_CHARSET);
}

static bool is_set(const struct state_my *s, const char *name) {
    return state_my_value(s, name).len > 0;
}

/* Strings were in the character set that is said here again: nothing changes for them. */
static bool set_charsets(struct state_my **s, struct bytes client, struct bytes results, struct bytes collation) {
    bool has_strings = *s && (*s)->has_strings;
    if (has_strings && (!state_my_own(s) || !*s)) return false;
    if (has_strings) (*s)->has_strings = false;
    bool is_ok = set_quoted(s, "character_set_client", client) && set_quoted(s, "character_set_results", results) &&
                 set_quoted(s, "collation_connection", collation);
    if (has_strings && *s) (*s)->has_strings = true;
    return is_ok;
}

bool state_my_rebase(struct state_my **s, const struct start_my *from, const struct start_my *to) {
    const struct bytes *f = from->fields;
    if (start_my_is_same(from, to)) return true;
    bool knows_charsets = has_charsets(*s) && (*s)->data[0] == CLASS_NAMES;
    bool has_client = is_set(*s, "character_set_client"), has_results = is_set(*s, "character_set_results");
    bool has_connection = is_set(*s, "character_set_connection") || is_set(*s, "collation_connection");
    bool is_ok = is_set(*s, "sql_mode") || set_quoted(s, "sql_mode", f[START_MY_SQL_MODE]);
    if (knows_charsets || !is_ok) return is_ok;
    if (!has_charsets(*s)) return set_charsets(s, f[START_MY_CLIENT], f[START_MY_RESULTS], f[START_MY_COLLATION]);
    return (has_client || set_quoted(s, "character_set_client", f[START_MY_CLIENT])) &&
           (has_results || set_quoted(s, "character_set_results", f[START_MY_RESULTS])) &&
           (has_connection || set_quoted(s, "collation_connection", f[START_MY_COLLATION]));
}

bool state_my_reset(struct state_my **s, const struct start_my *start) {
    const struct bytes *f = start->fields;
    state_my_unref(*s);
    *s = NULL;
    bool is_same = bytes_equal(f[START_MY_CLIENT], f[START_MY_GLOBAL_CLIENT]) &&
                   bytes_equal(f[START_MY_RESULTS], f[START_MY_GLOBAL_RESULTS]) &&
                   bytes_equal(f[START_MY_COLLATION], f[START_MY_GLOBAL_COLLATION]);
    return is_same || set_charsets(s, f[START_MY_GLOBAL_CLIENT], f[START_MY_GLOBAL_RESULTS], f[START_MY_GLOBAL_COLLATION]);
}

/* ---- the way from one to another --------------------------------------------------------------------------------------- */

/* One SET, begun when there is something to say. */
struct sentence {
    struct writer *w;
    size_t at;
    bool is_begun;
};

static void say(struct sentence *s, const char *before, struct bytes name, const char *between, struct bytes value) {
    if (!s->is_begun) {
        s->at = my_begin(s->w, 0);
        writer_u8(s->w, MY_COM_QUERY);
        writer_str(s->w, "SET ");
    } else {
        writer_str(s->w, ", ");
    }
    s->is_begun = true;
    writer_str(s->w, before);
    writer_put(s->w, name);
    writer_str(s->w, between);
    writer_put(s->w, value);
}

static unsigned end_sentence(struct sentence *s) {
    if (s->is_begun) my_end(s->w, s->at);
    return s->is_begun;
}

static void say_item(struct sentence *s, const struct item *item) {
    if (item->class == CLASS_NAMES) say(s, "NAMES ", bytes_of(NULL, 0), "", item->value);
    else if (item->class == CLASS_USER) say(s, "@`", item->name, "`=", item->value);
    else say(s, "SESSION ", item->name, "=", item->value);
}

/* A variable that becomes NULL keeps its type; one that was never set is a binary string. */
static void say_begun(struct sentence *s, const struct item *item) {
    if (item->class == CLASS_USER) {
        say(s, "@`", item->name, "`=", bytes_str("_binary''"));
        say(s, "@`", item->name, "`=", bytes_str("NULL"));
    } else if (variable_my_has_odd_default(item->name)) {
        say(s, "SESSION ", item->name, "=@@GLOBAL.", item->name);
    } else {
        say(s, "SESSION ", item->name, "=", bytes_str("DEFAULT"));
    }
}

static void say_charset(struct sentence *s, const char *name, struct bytes value) {
    say(s, "SESSION ", bytes_str(name), value.ptr ? "='" : "=", value.ptr ? value : bytes_str("NULL"));
    if (value.ptr) writer_u8(s->w, '\'');
}

/* As after the login, and then what `to` has set; NAMES leaves nothing of what was before. */
static void say_charsets(struct sentence *s, const struct state_my *from, const struct state_my *to, const struct start_my *start) {
    struct bytes wanted = charsets_of(to);
    if (bytes_equal(charsets_of(from), wanted)) return;
    if (!wanted.len || wanted.ptr[0] != CLASS_NAMES) {
        say_charset(s, "character_set_client", start->fields[START_MY_CLIENT]);
        say_charset(s, "character_set_results", start->fields[START_MY_RESULTS]);
        say_charset(s, "collation_connection", start->fields[START_MY_COLLATION]);
    }
    struct reader r = reader_over(wanted);
    struct item item;
    while (next_item(&r, &item)) say_item(s, &item);
}

/* What `from` has and `to` has not, and what `to` has otherwise, of one class. */
static void say_class(struct sentence *s, enum class class, const struct state_my *from, const struct state_my *to) {
    struct reader r = items_of(from);
    struct item item, other;
    while (next_item(&r, &item))
        if (item.class == class && !find(to, &item, &other)) say_begun(s, &item);
    r = items_of(to);
    while (next_item(&r, &item))
        if (item.class == class && !(find(from, &item, &other) && is_same_item(&item, &other))) say_item(s, &item);
}

unsigned state_my_put_way(struct writer *w, const struct state_my *from, const struct state_my *to, const struct start_my *start) {
    struct sentence system = {.w = w}, user = {.w = w};
    if (state_my_is_same(from, to)) return 0;
    say_charsets(&system, from, to, start);
    say_class(&system, CLASS_VARIABLE, from, to);
    unsigned count = end_sentence(&system);
    say_class(&user, CLASS_USER, from, to);
    return count + end_sentence(&user);
}
