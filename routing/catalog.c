/*
 * A worklist instead of rounds: when a node leaves more than was known, those that run it are told, and theirs.
 */
#include "routing/catalog.h"

#include "base/fault.h"
#include "base/map.h"
#include "routing/setting_pg.h"

enum { KEY_MAX = 64 };

/* What a node says to a function that it runs about its first argument. */
enum naming { NAMING_LOST, NAMING_PASSED };

struct edge {
    uint32_t naming; /* enum naming; from NAMING_PASSED + 1 on: where in `words` its first argument begins */
    uint32_t user; /* the node that runs it */
    uint32_t next; /* in the list of the node's users; 0: the last */
};

struct node {
    uint32_t users; /* first edge; 0: none */
    uint16_t effects;
    bool is_listed; /* in `work` */
};

/* Arrays begin with an entry that is nobody's. */
struct catalog {
    struct map by_key; /* kind and key -> number of the node */
    struct node *nodes; /* owned */
    uint32_t node_count, node_cap;
    struct edge *edges; /* owned */
    uint32_t edge_count, edge_cap;
    uint32_t *work; /* owned; as long as `nodes` */
    uint32_t everywhere; /* the node that is everybody's */
    struct bytes settings; /* owned; words with a NUL behind each */
    char *words; /* owned; likewise: strings with a dot in them that functions are called with */
    uint32_t word_bytes, word_cap;
    bool has_failed;
    bool may_do;
};

struct catalog *catalog_new(void) {
    struct catalog *c = mem_alloc(sizeof *c);
    if (!c) return NULL;
    map_init(&c->by_key);
    c->node_count = c->edge_count = 1;
    return c;
}

void catalog_free(struct catalog *c) {
    if (!c) return;
    map_release(&c->by_key);
    mem_free(c->nodes);
    mem_free(c->edges);
    mem_free(c->work);
    mem_free(c->words);
    mem_free((void *)(uintptr_t)c->settings.ptr);
    mem_free(c);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

/* Twice as much, zeroed behind what was there. NULL: memory is out; the old one is as it was. */
static void *grown(const void *old, uint32_t count, uint32_t cap, size_t size) {
    if ((size_t)cap * size > CATALOG_MEMORY_MAX / 4) return NULL;
    void *bigger = mem_alloc((size_t)cap * size);
    if (bigger && old) memcpy(bigger, old, count * size);
    return bigger;
}

static bool has_room_for_node(struct catalog *c) {
    if (c->node_count < c->node_cap) return true;
    uint32_t cap = c->node_cap ? c->node_cap * 2 : 256;
    struct node *nodes = grown(c->nodes, c->node_count, cap, sizeof *nodes);
    uint32_t *work = nodes ? grown(NULL, 0, cap, sizeof *work) : NULL;
    if (!work) {
        mem_free(nodes);
        return false;
    }
    mem_free(c->nodes);
    mem_free(c->work);
    c->nodes = nodes;
    c->work = work;
    c->node_cap = cap;
    return true;
}

static bool has_room_for_edge(struct catalog *c) {
    if (c->edge_count < c->edge_cap) return true;
    uint32_t cap = c->edge_cap ? c->edge_cap * 2 : 256;
    struct edge *edges = grown(c->edges, c->edge_count, cap, sizeof *edges);
    if (!edges) return false;
    mem_free(c->edges);
    c->edges = edges;
    c->edge_cap = cap;
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------------- */

/* The server cuts names to 63 bytes. */
static struct bytes key_of(uint8_t *storage, enum catalog_kind kind, struct bytes key) {
    size_t len = key.len < KEY_MAX ? key.len : KEY_MAX - 1;
    storage[0] = (uint8_t)kind;
    if (len) memcpy(storage + 1, key.ptr, len);
    return bytes_of(storage, len + 1);
}

uint32_t catalog_find(const struct catalog *c, enum catalog_kind kind, struct bytes key) {
    uint8_t storage[KEY_MAX];
    return (uint32_t)(uintptr_t)map_get(&c->by_key, key_of(storage, kind, key));
}

uint32_t catalog_node(struct catalog *c, enum catalog_kind kind, struct bytes key) {
    uint8_t storage[KEY_MAX];
    uint32_t found = catalog_find(c, kind, key);
    if (found) return found;
    if (!has_room_for_node(c) || !map_put(&c->by_key, key_of(storage, kind, key), (void *)(uintptr_t)c->node_count)) {
        c->has_failed = true;
        return 0;
    }
    c->nodes[c->node_count] = (struct node){0};
    if (kind == CATALOG_EVERYWHERE) c->everywhere = c->node_count;
    return c->node_count++;
}

static bool takes(struct node *n, unsigned effects) {
    uint16_t all = (uint16_t)(n->effects | effects);
    bool is_more = all != n->effects;
    n->effects = all;
    return is_more;
}

/* What is left of that for who runs it. */
static unsigned over(struct catalog *c, const struct edge *e, unsigned effects) {
    if (!(effects & EFFECT_NAMED) || e->naming == NAMING_PASSED) return effects;
    effects &= ~(unsigned)EFFECT_NAMED;
    if (e->naming == NAMING_LOST) return effects | EFFECT_STAYS;
    const char *word = c->words + (e->naming - NAMING_PASSED - 1);
    return *word && !catalog_note_setting(c, bytes_str(word)) ? effects | EFFECT_STAYS : effects;
}

void catalog_leaves(struct catalog *c, uint32_t node, unsigned effects) {
    if (!node || !takes(&c->nodes[node], effects)) return;
    uint32_t waiting = 0;
    c->work[waiting++] = node;
    while (waiting) {
        struct node *n = &c->nodes[c->work[--waiting]];
        n->is_listed = false;
        for (uint32_t at = n->users; at; at = c->edges[at].next) {
            struct node *user = &c->nodes[c->edges[at].user];
            if (!takes(user, over(c, &c->edges[at], n->effects)) || user->is_listed) continue;
            user->is_listed = true; /* so that each node is there once at most */
            c->work[waiting++] = c->edges[at].user;
        }
    }
}

static void add_edge(struct catalog *c, uint32_t node, uint32_t what, uint32_t naming) {
    if (!node || !what || node == what) return;
    if (!has_room_for_edge(c)) {
        c->has_failed = true;
        return;
    }
    c->edges[c->edge_count] = (struct edge){.naming = naming, .user = node, .next = c->nodes[what].users};
    c->nodes[what].users = c->edge_count++;
    catalog_leaves(c, node, over(c, &c->edges[c->edge_count - 1], c->nodes[what].effects));
}

void catalog_runs(struct catalog *c, uint32_t node, uint32_t what) {
    add_edge(c, node, what, NAMING_LOST);
}

/* One that any look sees is the first of all, and empty. */
static uint32_t naming_of_text(struct catalog *c, struct bytes text) {
    bool is_told = setting_pg_is_unlisted(text), is_first = !c->word_bytes;
    size_t len = is_told ? text.len : 0, wanted = c->word_bytes + len + 2;
    if (is_told && memchr(text.ptr, 0, text.len)) return NAMING_LOST;
    if (wanted > c->word_cap) {
        uint32_t cap = (uint32_t)(wanted * 2 + 256);
        char *words = grown(c->words, c->word_bytes, cap, 1);
        if (!words) return NAMING_LOST;
        mem_free(c->words);
        c->words = words;
        c->word_cap = cap;
    }
    if (is_first) c->words[c->word_bytes++] = '\0';
    if (!is_told) return NAMING_PASSED + 1;
    uint32_t at = c->word_bytes;
    memcpy(c->words + at, text.ptr, len);
    c->words[at + len] = '\0';
    c->word_bytes += (uint32_t)len + 1;
    return NAMING_PASSED + 1 + at;
}

void catalog_calls(struct catalog *c, uint32_t node, uint32_t what, const struct effect_argument *first) {
    if (!node || !what) return;
    if (first->is_parameter) add_edge(c, node, what, NAMING_PASSED);
    else add_edge(c, node, what, first->text.ptr ? naming_of_text(c, first->text) : NAMING_LOST);
}

void catalog_note_do(struct catalog *c) {
    c->may_do = true;
}

bool catalog_may_do(const struct catalog *c) {
    return c->may_do;
}

bool catalog_is_whole(const struct catalog *c) {
    return !c->has_failed;
}

unsigned catalog_effects(const struct catalog *c, uint32_t node) {
    return node ? c->nodes[node].effects : 0;
}

/* ---- settings -------------------------------------------------------------------------------------------------------- */

bool catalog_note_setting(struct catalog *c, struct bytes name) {
    const char *words = (const char *)c->settings.ptr;
    for (size_t i = 0; i < name.len; i++) {
        if (!name.ptr[i]) return true; /* no setting has such a name */
        if (name.ptr[i] < ' ' || name.ptr[i] > '~') return false;
    }
    for (size_t at = 0; at < c->settings.len; at += strlen(words + at) + 1)
        if (strlen(words + at) == name.len && memcmp(words + at, name.ptr, name.len) == 0) return true;
    if (c->settings.len + name.len + 1 > CATALOG_SETTINGS_MAX) return false;
    if (!c->settings.ptr) c->settings.ptr = mem_alloc(CATALOG_SETTINGS_MAX);
    if (!c->settings.ptr) return false;
    memcpy((uint8_t *)(uintptr_t)c->settings.ptr + c->settings.len, name.ptr, name.len);
    c->settings.len += name.len + 1;
    return true;
}

struct bytes catalog_settings(const struct catalog *c) {
    return c->settings;
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static uint32_t find_name(const struct catalog *c, enum catalog_kind kind, struct bytes name) {
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] >= 0x80) return catalog_find(c, kind, bytes_of(NULL, 0));
    return catalog_find(c, kind, name);
}

unsigned catalog_of_function(const struct catalog *c, struct bytes name) {
    uint32_t node = find_name(c, CATALOG_FUNCTION_NAME, name);
    return node ? c->nodes[node].effects : EFFECT_NO_SUCH;
}

unsigned catalog_of_relation(const struct catalog *c, struct bytes name, bool is_written) {
    return catalog_effects(c, find_name(c, is_written ? CATALOG_WRITE_NAME : CATALOG_READ_NAME, name));
}

unsigned catalog_everywhere(const struct catalog *c) {
    return catalog_effects(c, c->everywhere);
}
