/*
 * edit.c - the list, kept in order; its printing, piece by piece; and quoting.
 *
 * Pieces are what stays of the original and what comes between. A piece is put behind what has been printed, and read
 * again from some tokens before it: the lexer must give the tokens that it gave for the piece where it came from. If it
 * does not, the same is tried with something between the two. The last tokens of a piece may be read otherwise while nothing
 * stands behind them (`--` is two signs in MySQL unless it is at the end): if nothing helps they wait for the next piece.
 */
#include "parser/edit.h"

#include "parser/lex.h"

enum {
    MARKS = 4,   /* how many tokens before a seam may be read otherwise because of what comes behind it */
    WAITING = 2, /* how many tokens at the end of a piece may wait */
};

/* A token of the printed text, and the lexer before it. */
struct mark {
    struct lexer before;
    struct token token;
};

struct printer {
    struct edit_list *list;
    struct writer *out;
    size_t start;         /* where in the writer the text begins */
    struct lexer source;  /* in the original, behind what has been read of it */
    struct lexer result;  /* in the printed text, behind its last token that was checked */
    struct lexer waiting; /* before tokens that were not: from here up to waiting_end they are those of this lexer */
    uint32_t waiting_end;
    bool is_open; /* the printed text ends inside a comment that is executed */
    struct mark marks[MARKS];
    unsigned mark_count;
};

static bool refuse(struct edit_list *list, uint32_t at, const char *problem) {
    if (!list->problem) {
        list->problem = problem;
        list->problem_at = at;
    }
    return false;
}

/* ---- the list -------------------------------------------------------------------------------------------------------- */

void edit_init(struct edit_list *list, struct bytes text, const struct sql_options *options, struct arena *arena) {
    *list = (struct edit_list){.text = text, .options = options, .arena = arena};
}

static bool make_room(struct edit_list *list) {
    if (list->count < list->cap) return true;
    uint32_t cap = list->cap ? 2 * list->cap : 8;
    struct edit *edits = cap < UINT32_MAX / 2 / sizeof *edits ? arena_alloc(list->arena, cap * sizeof *edits) : NULL;
    if (!edits) return refuse(list, 0, "out of memory");
    if (list->count > 0) memcpy(edits, list->edits, list->count * sizeof *edits);
    list->edits = edits;
    list->cap = cap;
    return true;
}

/* Where two are at one place, the one that takes nothing away comes first. */
static bool is_before(const struct edit *a, const struct edit *b) {
    return a->start != b->start ? a->start < b->start : a->end == a->start && b->end > b->start;
}

void edit_replace(struct edit_list *list, uint32_t start, uint32_t end, struct bytes with) {
    if (list->problem) return;
    if (start > end || end > list->text.len) {
        refuse(list, start, "an edit outside of the text");
        return;
    }
    if (!make_room(list)) return;
    struct edit edit = {.start = start, .end = end, .with = with};
    uint32_t at = list->count;
    while (at > 0 && is_before(&edit, &list->edits[at - 1])) at--;
    bool overlaps = (at > 0 && list->edits[at - 1].end > start) || (at < list->count && end > list->edits[at].start);
    if (overlaps) {
        refuse(list, start, "edits that overlap");
        return;
    }
    memmove(list->edits + at + 1, list->edits + at, (list->count - at) * sizeof edit);
    list->edits[at] = edit;
    list->count++;
}

/* ---- comparing tokens ------------------------------------------------------------------------------------------------ */

/* The next token that counts. */
static void next_token(struct lexer *l, struct token *t) {
    do lex_next(l, t);
    while (t->kind == TOKEN_HINT);
}

static bool is_word(uint16_t kind) {
    return kind == TOKEN_IDENT || kind == TOKEN_INTRODUCER || kind >= KEYWORD_FIRST;
}

static bool may_be_name(const struct lexer *l, uint16_t kind) {
    return kind < KEYWORD_FIRST || (l->keywords.uses[kind] & KEYWORD_COLUMN);
}

/* Of one kind, or words that may both be names. */
static bool is_same_kind(const struct lexer *l, uint16_t a, uint16_t b) {
    return a == b || (is_word(a) && is_word(b) && may_be_name(l, a) && may_be_name(l, b));
}

static bool is_same(const struct lexer *la, const struct token *a, const struct lexer *lb, const struct token *b) {
    struct bytes text_a = bytes_of(la->text + a->start, a->end - a->start);
    return is_same_kind(la, a->kind, b->kind) && bytes_equal(text_a, bytes_of(lb->text + b->start, b->end - b->start));
}

/* ---- printing -------------------------------------------------------------------------------------------------------- */

/* A lexer over all that has been printed, in the state of `state`. */
static struct lexer over_result(const struct printer *p, const struct lexer *state) {
    struct lexer l = *state;
    l.text = p->out->data + p->start;
    l.len = (uint32_t)(p->out->len - p->start);
    return l;
}

static void push_mark(struct printer *p, const struct lexer *before, const struct token *token) {
    if (p->mark_count == MARKS) memmove(p->marks, p->marks + 1, (MARKS - 1) * sizeof p->marks[0]);
    else p->mark_count++;
    p->marks[p->mark_count - 1] = (struct mark){.before = *before, .token = *token};
}

/* Are the last tokens still what they were, now that more stands behind them? The lexer goes behind them. */
static bool recheck_marks(const struct printer *p, struct lexer *l) {
    *l = over_result(p, p->mark_count > 0 ? &p->marks[0].before : &p->result);
    for (unsigned i = 0; i < p->mark_count; i++) {
        struct token t;
        const struct token *was = &p->marks[i].token;
        next_token(l, &t);
        if (!is_same_kind(l, t.kind, was->kind) || t.start != was->start || t.end != was->end) return false;
    }
    return true;
}

/* The next token of a lexer before `end`, where tokens must not go beyond it. */
enum piece_token { PIECE_TOKEN, PIECE_END, PIECE_BROKEN };

static enum piece_token next_of_piece(struct lexer *l, uint32_t end, struct token *t) {
    next_token(l, t);
    if (t->kind == TOKEN_ERROR) return PIECE_BROKEN;
    if (t->kind == TOKEN_END || t->start >= end) return PIECE_END;
    return t->end > end ? PIECE_BROKEN : PIECE_TOKEN;
}

static void skip_piece(struct lexer *l, uint32_t end) {
    struct token t;
    for (struct lexer ahead = *l; next_of_piece(&ahead, end, &t) == PIECE_TOKEN;) *l = ahead;
}

static bool has_few_tokens(struct lexer l, uint32_t end) {
    struct token t;
    for (int count = 0; count <= WAITING; count++) {
        enum piece_token what = next_of_piece(&l, end, &t);
        if (what != PIECE_TOKEN) return what == PIECE_END;
    }
    return false;
}

/*
 * Does `l` in the printed text go on with the tokens that `expected` gives up to `end`? Both lexers go behind those that it
 * does, and these are marked.
 */
static bool check_tokens(struct printer *p, struct lexer *l, struct lexer *expected, uint32_t end) {
    for (;;) {
        struct lexer ahead = *expected, here = *l;
        struct token e, t;
        enum piece_token what = next_of_piece(&ahead, end, &e);
        if (what != PIECE_TOKEN) return what == PIECE_END;
        next_token(&here, &t);
        if (!is_same(&ahead, &e, &here, &t)) return false;
        push_mark(p, l, &t);
        *expected = ahead;
        *l = here;
    }
}

/* How a text ends behind its last token. */
enum tail { TAIL_CLOSED, TAIL_OPEN, TAIL_BROKEN };

static enum tail tail_of(struct lexer l) {
    struct token t;
    l.is_after_dot = l.is_after_at = false; /* the name may come with the next piece */
    next_token(&l, &t);
    if (t.kind == TOKEN_END) return TAIL_CLOSED;
    return t.kind == TOKEN_ERROR && l.is_in_executable && l.problem_at == l.comment_start ? TAIL_OPEN : TAIL_BROKEN;
}

/* Does what has been printed end as the piece does where it comes from? A comment that is executed may be open around it. */
static bool check_tail(struct printer *p, const struct lexer *l, const struct lexer *expected, uint32_t end) {
    struct lexer cut = *expected;
    cut.len = end;
    enum tail wanted = tail_of(cut);
    if (wanted == TAIL_CLOSED && p->is_open && expected->text != p->source.text) wanted = TAIL_OPEN;
    p->is_open = wanted == TAIL_OPEN;
    return wanted != TAIL_BROKEN && tail_of(*l) == wanted;
}

/* The printed text with a new piece at its end. The piece's last tokens `may_wait`. */
static bool check_piece(struct printer *p, struct lexer *expected, uint32_t end, bool may_wait) {
    struct lexer l;
    if (!recheck_marks(p, &l) || !check_tokens(p, &l, &p->waiting, p->waiting_end)) return false;
    p->waiting_end = 0;
    if (!check_tokens(p, &l, expected, end)) {
        if (!may_wait || !has_few_tokens(*expected, end)) return false;
        p->waiting = *expected;
        p->waiting_end = end;
        skip_piece(expected, end);
    } else if (!check_tail(p, &l, expected, end)) {
        return false;
    }
    p->result = l;
    return true;
}

/* A piece whose tokens up to `end` are those of `expected`, with as little before it as will do. */
static bool put_piece(struct printer *p, struct bytes piece, struct lexer *expected, uint32_t end) {
    static const char *const separators[] = {"", " ", "\n", "/**/", "\n/**/"};
    const struct printer was = *p;
    const struct lexer was_expected = *expected;
    size_t len = p->out->len;
    for (size_t i = 0; i < 2 * COUNT_OF(separators); i++) {
        writer_str(p->out, separators[i % COUNT_OF(separators)]);
        writer_put(p->out, piece);
        if (p->out->failed || p->out->len - p->start > LEX_TEXT_MAX) return refuse(p->list, 0, "the edited text is too long");
        if (check_piece(p, expected, end, i >= COUNT_OF(separators))) return true;
        *p = was;
        *expected = was_expected;
        p->out->len = len;
    }
    return false;
}

/* The original from `start` to `end`, which stays. */
static bool put_original(struct printer *p, uint32_t start, uint32_t end) {
    if (start == end) return true;
    struct bytes piece = bytes_of(p->list->text.ptr + start, end - start);
    if (put_piece(p, piece, &p->source, end)) return true;
    return refuse(p->list, start, "the text cannot be edited here without being read otherwise");
}

/* The original's tokens that go must go as wholes. */
static bool skip_original(struct printer *p, const struct edit *edit) {
    for (;;) {
        struct lexer ahead = p->source;
        struct token t;
        next_token(&ahead, &t);
        if (t.kind == TOKEN_ERROR) return refuse(p->list, p->source.problem_at, "the text is unreadable");
        if (t.kind == TOKEN_END || t.start >= edit->end) return true;
        if (t.start < edit->start || t.end > edit->end) return refuse(p->list, edit->start, "an edit that cuts a token");
        p->source = ahead;
    }
}

static bool put_edit(struct printer *p, const struct edit *edit) {
    if (!skip_original(p, edit)) return false;
    if (edit->with.len == 0) return true;
    struct lexer expected;
    lex_init(&expected, edit->with, p->list->options);
    if (!put_piece(p, edit->with, &expected, expected.len)) return refuse(p->list, edit->start, "a text that cannot stand here");
    return true;
}

static bool put_all(struct printer *p) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->list->count; i++) {
        const struct edit *edit = &p->list->edits[i];
        if (!put_original(p, at, edit->start) || !put_edit(p, edit)) return false;
        at = edit->end;
    }
    if (!put_original(p, at, (uint32_t)p->list->text.len)) return false;
    struct lexer l;
    struct token t;
    if (recheck_marks(p, &l) && check_tokens(p, &l, &p->waiting, p->waiting_end)) next_token(&l, &t);
    else t.kind = TOKEN_ERROR;
    return t.kind == TOKEN_END || refuse(p->list, at, "the text would not end where it ends");
}

bool edit_print(struct edit_list *list, struct writer *out) {
    if (list->problem) return false;
    if (list->count == 0) {
        writer_put(out, list->text);
        return !out->failed || refuse(list, 0, "the edited text is too long");
    }
    struct printer p = {.list = list, .out = out, .start = out->len};
    lex_init(&p.source, list->text, list->options);
    lex_init(&p.result, bytes_of("", 0), list->options);
    p.waiting = p.result;
    if (put_all(&p)) return true;
    if (!out->failed) out->len = p.start;
    return false;
}

/* ---- quoting --------------------------------------------------------------------------------------------------------- */

/* Bytes that no quotes make harmless. */
static bool is_quotable(struct bytes text, const struct sql_options *options) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 0x80 && options->encoding == SQL_ENCODING_UNSAFE) return false;
        if (text.ptr[i] == 0 && options->dialect == SQL_POSTGRES) return false;
    }
    return true;
}

static void put_doubling(struct writer *out, struct bytes text, uint8_t quote, uint8_t also) {
    writer_u8(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote || text.ptr[i] == also) writer_u8(out, text.ptr[i]);
        writer_u8(out, text.ptr[i]);
    }
    writer_u8(out, quote);
}

bool edit_quote_name(struct writer *out, struct bytes name, const struct sql_options *options) {
    bool is_postgres = options->dialect == SQL_POSTGRES;
    if (!is_quotable(name, options) || (is_postgres && name.len == 0)) return false;
    uint8_t quote = is_postgres ? '"' : '`';
    put_doubling(out, name, quote, quote);
    return !out->failed;
}

/*
 * A backslash in PostgreSQL is doubled in E'...', which means the same whatever the session's settings are; in MySQL
 * they decide.
 */
bool edit_quote_string(struct writer *out, struct bytes value, const struct sql_options *options) {
    if (!is_quotable(value, options)) return false;
    bool has_backslash = value.len > 0 && memchr(value.ptr, '\\', value.len) != NULL;
    bool is_postgres = options->dialect == SQL_POSTGRES;
    bool is_escape = has_backslash && (is_postgres || !(options->modes & SQL_NO_BACKSLASH_ESCAPES));
    if (is_escape && is_postgres) writer_u8(out, 'E');
    put_doubling(out, value, '\'', is_escape ? '\\' : '\'');
    return !out->failed;
}
