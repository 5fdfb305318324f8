/*
 * hba.h - who may log in from where, and how it must prove who it is: rules as in pg_hba.conf.
 *
 *     # TYPE     DATABASE   USER      ADDRESS        METHOD          OPTIONS
 *     local      all        all                      peer            map=ops
 *     hostssl    shop       "app"     10.0.0.0/8     scram-sha-256   clientcert=verify-ca
 *     host       all        /^batch_  10.1.0.0 255.255.0.0  scram-sha-256
 *     host       all        all       all            reject
 *
 * The first rule that fits the connection counts, whatever its method then says; where none fits, nobody gets in.
 * A rule is held against the connection as it is when the startup packet has come: after any TLS handshake, with
 * the address that a listed proxy has told.
 *
 * What is as in PostgreSQL: `all`, `sameuser` and `replication` (physical replication, which `all` does not mean) as
 * databases, lists with commas, "quoted" words that mean nothing special, /regular expressions (POSIX extended ones of
 * the C library, not PostgreSQL's), @files with more names, address with prefix length or mask, comments, lines
 * continued by a backslash.
 *
 * What gilmok cannot know is refused, with the line: roles (+name, samerole, samegroup), host names and interfaces
 * (samehost, samenet), methods and options that it has not.
 *
 * Read once, never changed after that: any thread may look. Memory is the arena's, but for compiled expressions.
 */
#ifndef GILMOK_PROXY_ACCESS_HBA_H
#define GILMOK_PROXY_ACCESS_HBA_H

#include <regex.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/writer.h"
#include "proxy/access/external.h"
#include "proxy/net/addr_list.h"

enum {
    HBA_FILE_MAX = 4 << 20, /* bytes of a file of rules, of name maps or of names */
    HBA_RULES_MAX = 10000,
    HBA_DEPTH_MAX = 8,     /* @files in @files */
};

enum hba_type { HBA_LOCAL, HBA_HOST, HBA_HOSTSSL, HBA_HOSTNOSSL };
const char *hba_type_name(enum hba_type type);

enum hba_word_kind { HBA_NAME, HBA_ALL, HBA_SAMEUSER, HBA_REPLICATION, HBA_REGEX };
struct hba_word {
    struct list node;
    enum hba_word_kind kind;
    const char *text; /* as it stands in the file, without quotes */
    regex_t regex;    /* of HBA_REGEX */
};

/* What the certificate of a client must be, whatever the method. */
enum hba_clientcert { HBA_CERT_NOT_ASKED, HBA_CERT_VERIFY_CA, HBA_CERT_VERIFY_FULL };

struct hba_rule {
    struct list node; /* in hba.rules */
    const char *file;
    int line; /* 0: not from a file of rules, but from client_auth */
    enum hba_type type;
    struct list databases, users; /* struct hba_word */
    bool is_any_address;
    struct addr_net net; /* unless that; not of HBA_LOCAL */
    enum auth_method method;
    const char *map; /* NULL: names are to be the same */
    enum hba_clientcert clientcert;
    bool is_by_dn; /* clientname=DN: the whole subject, not the common name */
    const struct ldap_options *ldap; /* of AUTH_LDAP */
    const struct pam_options *pam;   /* of AUTH_PAM */
};

struct hba {
    struct list rules; /* struct hba_rule, in their order */
    size_t count;
    int secret_line; /* of the first rule that holds a password; 0: none does */
};

/* One connection, as it is now. */
struct hba_who {
    const char *user, *database;
    int family; /* AF_INET, AF_INET6; anything else is no address */
    const uint8_t *ip;
    bool is_on_socket; /* a unix socket, and no proxy in between */
    bool has_tls;
    bool is_physical_replication;
};

/* What reading needs of the caller. */
struct hba_files {
    /*
     * Appends the text of a file that line `line` of `file` names, relative to the folder of `file`. False: it has been
     * complained about.
     */
    bool (*read)(void *ctx, const char *file, int line, const char *name, struct writer *out);
    /* A line that is wrong: what, and what to write instead. */
    void (*complain)(void *ctx, const char *file, int line, const char *what, const char *advice);
    void *ctx;
};

void hba_init(struct hba *h);
void hba_release(struct hba *h); /* the expressions; the rest is the arena's */

/* Appends the rules of a text. Lines that are wrong are complained about; they let nobody in. False: memory is out. */
MUST_USE bool hba_parse(struct hba *h, struct arena *a, const char *file, struct bytes text, const struct hba_files *files);

/* Appends a rule for everybody, replication included: what client_auth says. False: memory is out. */
MUST_USE bool hba_add_for_all(struct hba *h, struct arena *a, enum hba_type type, enum auth_method method);

/* True for a word that means something without quotes: `all`, `sameuser`, ... */
bool hba_is_keyword(const char *word);

/* True when the rule is for a user of this name, from some address and for some database. */
bool hba_rule_is_for_user(const struct hba_rule *r, const char *user);

/* The rule that counts, or NULL. */
const struct hba_rule *hba_find(const struct hba *h, const struct hba_who *who);

#endif
