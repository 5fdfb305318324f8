/*
 * verdict_my.c - verdict_my: what a MariaDB or MySQL server says of every text of a corpus, none of which is executed.
 *
 *      verdict_my SOCKET CORPUS [DATABASE]
 *
 * Each text goes to the server as one COM_STMT_PREPARE over its unix socket, with UTF-8 as the connection's character set, the
 * server's default sql_mode and DATABASE as the current one; what was prepared is closed again. A corpus is, for each text, its
 * length (uint32, little-endian) and its bytes. Standard output gets a line a text, in the corpus's order: the error number (0:
 * prepared), a tab and the server's message, in which bytes below 32, 127 and the backslash are written \xNN. A text after
 * which the server is gone twice has the number 2013: no verdict. What a verdict means, oracle_my knows.
 */
#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXT_MAX = 64 << 20,
    ANSWER_SECONDS = 20, /* a server that takes longer has no answer; a millisecond does */
    ATTEMPTS = 2,
};

struct asker {
    const char *socket;
    const char *database;
    MYSQL *link;
    unsigned reconnects;
};

static bool asker_connect(struct asker *a) {
    const unsigned seconds = ANSWER_SECONDS;
    if (a->link) mysql_close(a->link);
    a->link = mysql_init(NULL);
    if (!a->link) return false;
    mysql_options(a->link, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(a->link, MYSQL_OPT_READ_TIMEOUT, &seconds);
    if (mysql_real_connect(a->link, NULL, "root", NULL, a->database, 0, a->socket, CLIENT_MULTI_STATEMENTS)) return true;
    fprintf(stderr, "verdict_my: %s: %s\n", a->socket, mysql_error(a->link));
    return false;
}

static bool is_link_lost(unsigned number) {
    return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST || number == CR_SERVER_LOST_EXTENDED;
}

static void print_verdict(unsigned number, const char *message) {
    printf("%u\t", number);
    for (const unsigned char *p = (const unsigned char *)message; *p; p++) {
        if (*p < 32 || *p == 127 || *p == '\\')
            printf("\\x%02x", *p);
        else
            putchar(*p);
    }
    putchar('\n');
}

/* One text. On a lost link it is asked once more, on a new one. False: the server cannot be reached any more. */
static bool ask(struct asker *a, const char *text, size_t len) {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        MYSQL_STMT *stmt = mysql_stmt_init(a->link);
        if (!stmt) return false;
        unsigned number = mysql_stmt_prepare(stmt, text, len) ? mysql_stmt_errno(stmt) : 0;
        bool is_answered = !is_link_lost(number);
        if (is_answered) print_verdict(number, number ? mysql_stmt_error(stmt) : "");
        mysql_stmt_close(stmt);
        if (is_answered) return true;
        a->reconnects++;
        if (!asker_connect(a)) return false;
    }
    print_verdict(CR_SERVER_LOST, "the server was gone twice");
    return true;
}

/* The next text into a buffer that grows. 1: read, 0: none left, -1: this is no corpus. */
static int read_text(FILE *corpus, char **text, size_t *cap, size_t *len) {
    unsigned char head[4];
    size_t got = fread(head, 1, sizeof(head), corpus);
    if (got == 0 && feof(corpus)) return 0;
    if (got != sizeof(head)) return -1;
    *len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (*len > TEXT_MAX) return -1;
    if (*len >= *cap) {
        char *grown = realloc(*text, *len + 1);
        if (!grown) return -1;
        *text = grown;
        *cap = *len + 1;
    }
    return fread(*text, 1, *len, corpus) == *len ? 1 : -1;
}

static bool ask_all(struct asker *a, FILE *corpus) {
    char *text = NULL;
    size_t cap = 0, len = 0;
    bool is_asked = true;
    int got;
    while ((got = read_text(corpus, &text, &cap, &len)) == 1 && is_asked) is_asked = ask(a, text, len);
    free(text);
    if (!is_asked) fprintf(stderr, "verdict_my: the server cannot be reached any more\n");
    if (got < 0) fprintf(stderr, "verdict_my: the corpus is cut short, or is none\n");
    return is_asked && got == 0;
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: verdict_my SOCKET CORPUS [DATABASE]\n");
        return 2;
    }
    struct asker asker = {.socket = argv[1], .database = argc == 4 ? argv[3] : NULL};
    FILE *corpus = fopen(argv[2], "rb");
    if (!corpus) {
        fprintf(stderr, "verdict_my: %s: %s\n", argv[2], strerror(errno));
        return 2;
    }
    bool is_done = asker_connect(&asker) && ask_all(&asker, corpus);
    if (asker.link) mysql_close(asker.link);
    mysql_library_end();
    fclose(corpus);
    if (asker.reconnects) fprintf(stderr, "verdict_my: connected again %u times\n", asker.reconnects);
    return is_done && fflush(stdout) == 0 ? 0 : 2;
}
