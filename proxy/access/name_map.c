/*
 * Name maps: their text, and the question.
 */
#include "proxy/access/name_map.h"

#include <stdio.h>
#include <string.h>

#include "proxy/access/rule_regex.h"
#include "proxy/access/rule_text.h"

enum { FIELDS = 3, SHOWN_MAX = 60, MADE_MAX = 1024 };

void name_maps_init(struct name_maps *m) {
    list_init(&m->lines);
}

void name_maps_release(struct name_maps *m) {
    LIST_EACH(n, &m->lines) {
        struct name_map_line *l = CONTAINER_OF(n, struct name_map_line, node);
        if (l->is_system_regex) regfree(&l->system_regex);
        if (l->kind == NAME_MAP_REGEX) regfree(&l->user_regex);
    }
    list_init(&m->lines);
}

/* ---- the text ---- */

struct place {
    const char *file;
    int line;
    const struct hba_files *files;
};

static bool compile(const struct place *at, regex_t *out, const char *text) {
    char why[100], what[200];
    if (rule_text_has_escape(text)) {
        snprintf(what, sizeof what, "the regular expression /%.*s has an escape that the C library does not know", SHOWN_MAX, text);
        at->files->complain(at->files->ctx, at->file, at->line, what,
                            "Write [0-9] and its like; a backslash may stand in front of other signs only");
        return false;
    }
    int failed = rule_regex_compile(out, text, 0);
    if (!failed) return true;
    regerror(failed, out, why, sizeof why);
    snprintf(what, sizeof what, "the regular expression /%.*s is not right: %s", SHOWN_MAX, text, why);
    at->files->complain(at->files->ctx, at->file, at->line, what, "It must be a POSIX extended regular expression");
    return false;
}

static bool take_system(const struct place *at, struct name_map_line *l, const char *text) {
    bool is_regex = text[0] == '/' && text[1];
    l->system = is_regex ? text + 1 : text;
    return !is_regex || (l->is_system_regex = compile(at, &l->system_regex, l->system));
}

static bool take_user(const struct place *at, struct name_map_line *l, const struct rule_word *w) {
    const char *what = NULL;
    l->user = w->text;
    if (!w->is_quoted && strcmp(w->text, "all") == 0) {
        l->kind = NAME_MAP_ALL;
    } else if (w->text[0] == '/' && w->text[1]) {
        l->user = w->text + 1;
        if (!compile(at, &l->user_regex, l->user)) return false;
        l->kind = NAME_MAP_REGEX;
    } else if (!w->is_quoted && w->text[0] == '+') {
        what = "+ means the members of a role, which gilmok does not know";
    } else if (l->is_system_regex && strstr(w->text, "\\1") && l->system_regex.re_nsub == 0) {
        what = "\\1 stands for what is found in parentheses, and the regular expression has none";
    }
    if (what) at->files->complain(at->files->ctx, at->file, at->line, what, "Correct the line");
    return !what;
}

static void take_line(struct name_maps *m, struct arena *a, const struct place *at, const struct rule_line *line) {
    const struct rule_word *words[FIELDS];
    size_t count = 0;
    bool has_list = false;
    LIST_EACH(n, &line->fields) {
        const struct list *of_field = &CONTAINER_OF(n, struct rule_field, node)->words;
        if (count < FIELDS) words[count] = CONTAINER_OF(of_field->next, struct rule_word, node);
        has_list = has_list || of_field->next->next != of_field;
        count++;
    }
    if (count != FIELDS || has_list) {
        at->files->complain(at->files->ctx, at->file, at->line, "the line has not three words",
                            "Write MAP SYSTEM-USERNAME DATABASE-USERNAME");
        return;
    }
    struct name_map_line *l = arena_alloc(a, sizeof *l);
    if (!l) return;
    l->line = at->line;
    list_init(&l->node);
    list_push_back(&m->lines, &l->node);
    if (take_system(at, l, words[1]->text) && take_user(at, l, words[2])) l->map = words[0]->text;
}

bool name_maps_parse(struct name_maps *m, struct arena *a, const char *file, struct bytes text, const struct hba_files *files) {
    struct place at = {.file = file, .files = files};
    struct rule_text cut;
    struct rule_line line;
    const char *what = NULL;
    rule_text_init(&cut, a, text);
    for (enum rule_text_result got; (got = rule_text_next(&cut, &line, &what)) != RULE_TEXT_END && !a->failed;) {
        char whole[120];
        at.line = line.line;
        snprintf(whole, sizeof whole, "the line %s", what ? what : "");
        if (got == RULE_TEXT_BAD) files->complain(files->ctx, file, line.line, whole, "Correct the line");
        else take_line(m, a, &at, &line);
    }
    return !a->failed;
}

/* ---- the question ---- */

bool name_maps_has(const struct name_maps *m, const char *map) {
    LIST_EACH(n, &m->lines) {
        const struct name_map_line *l = CONTAINER_OF(n, struct name_map_line, node);
        if (l->map && strcmp(l->map, map) == 0) return true;
    }
    return false;
}

/* The line's user with what the parentheses have found in place of \1; false when it does not fit. */
static bool put_found(const struct name_map_line *l, const char *name, const regmatch_t *found, char out[MADE_MAX]) {
    const char *mark = strstr(l->user, "\\1");
    if (found->rm_so < 0) return false; /* they have found nothing: nobody is meant */
    size_t before = (size_t)(mark - l->user), len = (size_t)(found->rm_eo - found->rm_so);
    if (before + len + strlen(mark + 2) >= MADE_MAX) return false;
    memcpy(out, l->user, before);
    if (len) memcpy(out + before, name + found->rm_so, len);
    memcpy(out + before + len, mark + 2, strlen(mark + 2) + 1);
    return true;
}

static bool is_user(const struct name_map_line *l, const char *text, const char *user) {
    if (l->kind == NAME_MAP_ALL) return true;
    return l->kind == NAME_MAP_REGEX ? regexec(&l->user_regex, user, 0, NULL, 0) == 0 : strcmp(text, user) == 0;
}

static bool is_allowed_by(const struct name_map_line *l, const char *name, const char *user) {
    char made[MADE_MAX];
    regmatch_t found[2];
    if (!l->is_system_regex) return strcmp(l->system, name) == 0 && is_user(l, l->user, user);
    if (regexec(&l->system_regex, name, 2, found, 0) != 0) return false;
    bool is_made = l->kind == NAME_MAP_LITERAL && strstr(l->user, "\\1");
    if (is_made && !put_found(l, name, &found[1], made)) return false;
    return is_user(l, is_made ? made : l->user, user);
}

bool name_maps_allow(const struct name_maps *m, const char *map, const char *name, const char *user) {
    if (!*name) return false;
    if (!map) return strcmp(name, user) == 0;
    LIST_EACH(n, &m->lines) {
        const struct name_map_line *l = CONTAINER_OF(n, struct name_map_line, node);
        if (l->map && strcmp(l->map, map) == 0 && is_allowed_by(l, name, user)) return true;
    }
    return false;
}
