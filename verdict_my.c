/*
 * verdict_my - asks a MariaDB or MySQL server for its verdict on every text of a corpus, without executing any.
 *
 *     verdict_my SOCKET CORPUS [DATABASE]
 *
 * It owns the conversation: each text goes as one COM_STMT_PREPARE over the unix socket, and what was prepared is closed
 * again. CORPUS holds for every text a little-endian uint32 length and its bytes. Standard output gets one line a text, in
 * the corpus's order: the error number (0: prepared), a tab, and the server's message, in which bytes below 32, 127 and the
 * backslash are written \xNN. A text on which the server closes the connection twice is written as 2013: it has no verdict.
 * What a verdict means is the caller's business (oracle_my).
 */
#include <errno.h>
#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CR_SERVER_GONE_ERROR 2006
#define CR_SERVER_LOST 2013
#define CR_SERVER_LOST_EXTENDED 2055
#define TEXT_MAX (64u << 20)

struct asker {
    const char *socket;
    const char *database;
    MYSQL *link;
    unsigned reconnects;
};

static bool asker_connect(struct asker *asker)
{
    if (asker->link)
        mysql_close(asker->link);
    asker->link = mysql_init(NULL);
    if (!asker->link)
        return false;
    mysql_options(asker->link, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!mysql_real_connect(asker->link, "localhost", "root", NULL, asker->database, 0, asker->socket, CLIENT_MULTI_STATEMENTS)) {
        fprintf(stderr, "verdict_my: %s: %s\n", asker->socket, mysql_error(asker->link));
        return false;
    }
    return true;
}

/* What a session holds may sway later verdicts (a database that USE would choose), so nothing is ever executed; a link that the
 * server has closed is opened anew. */
static bool link_lost(unsigned number)
{
    return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST || number == CR_SERVER_LOST_EXTENDED;
}

static void write_verdict(unsigned number, const char *message)
{
    printf("%u\t", number);
    for (const unsigned char *p = (const unsigned char *)message; *p; p++) {
        if (*p < 32 || *p == 127 || *p == '\\')
            printf("\\x%02x", *p);
        else
            putchar(*p);
    }
    putchar('\n');
}

/* Prepares one text; a lost link is opened again and the text asked once more. False: the server cannot be reached. */
static bool ask(struct asker *asker, const char *text, uint32_t len)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        MYSQL_STMT *stmt = mysql_stmt_init(asker->link);
        if (!stmt)
            return false;
        unsigned number = mysql_stmt_prepare(stmt, text, len) ? mysql_stmt_errno(stmt) : 0;
        if (!link_lost(number)) {
            write_verdict(number, number ? mysql_stmt_error(stmt) : "");
            mysql_stmt_close(stmt);
            return true;
        }
        mysql_stmt_close(stmt);
        asker->reconnects++;
        if (!asker_connect(asker))
            return false;
    }
    write_verdict(CR_SERVER_LOST, "the server closed the connection twice");
    return true;
}

/* The next text into *text, a buffer that grows: 1 read, 0 end of file, -1 not a corpus. */
static int read_text(FILE *corpus, char **text, size_t *size, uint32_t *len)
{
    unsigned char head[4];
    size_t got = fread(head, 1, sizeof head, corpus);
    if (got == 0 && feof(corpus))
        return 0;
    if (got != sizeof head)
        return -1;
    *len = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    if (*len > TEXT_MAX)
        return -1;
    if (*len + 1 > *size) {
        char *grown = realloc(*text, (size_t)*len + 1);
        if (!grown)
            return -1;
        *text = grown;
        *size = (size_t)*len + 1;
    }
    if (fread(*text, 1, *len, corpus) != *len)
        return -1;
    (*text)[*len] = 0;
    return 1;
}

static int ask_all(struct asker *asker, FILE *corpus)
{
    char *text = NULL;
    size_t size = 0;
    uint32_t len = 0;
    int got;
    while ((got = read_text(corpus, &text, &size, &len)) == 1) {
        if (!ask(asker, text, len)) {
            fprintf(stderr, "verdict_my: the server cannot be reached any more\n");
            free(text);
            return 2;
        }
    }
    free(text);
    if (got < 0)
        fprintf(stderr, "verdict_my: the corpus is cut short or no corpus\n");
    return got < 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
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
    int status = asker_connect(&asker) ? ask_all(&asker, corpus) : 2;
    if (asker.link)
        mysql_close(asker.link);
    mysql_library_end();
    fclose(corpus);
    if (asker.reconnects)
        fprintf(stderr, "verdict_my: connected again %u times\n", asker.reconnects);
    if (status == 0 && fflush(stdout) != 0)
        status = 2;
    return status;
}
