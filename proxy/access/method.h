/*
 * method.h - the ways to prove who one is, in PostgreSQL's words: a client to gilmok, gilmok to a server.
 */
#ifndef GILMOK_PROXY_ACCESS_METHOD_H
#define GILMOK_PROXY_ACCESS_METHOD_H

#include <stdbool.h>

enum auth_method {
    AUTH_SCRAM,    /* with channel binding where the client asks for it */
    AUTH_MD5,      /* SCRAM for users of whom only a SCRAM verifier is known */
    AUTH_PASSWORD, /* in clear text: inside TLS and on unix sockets only */
    AUTH_CERT,     /* the TLS certificate names the user */
    AUTH_PEER,     /* the system user at the other end of a unix socket names the user */
    AUTH_TRUST,    /* not at all: loopback and unix sockets only */
    AUTH_LDAP,     /* a password in clear text, which LDAP servers are asked about; of hba_file only */
    AUTH_PAM,      /* the same, and a PAM service is asked; of hba_file only */
    AUTH_REJECT,   /* nobody: a rule that keeps out */
};
enum { AUTH_METHODS = AUTH_REJECT + 1 };

/* The weakest that a server may ask gilmok for: each one includes those before it. */
enum server_auth {
    SERVER_AUTH_SCRAM,
    SERVER_AUTH_MD5,
    SERVER_AUTH_PASSWORD, /* in clear text: to a verified server inside TLS, over loopback and unix sockets */
};

/* Whether a login to a server is tied to its TLS connection. */
enum channel_binding { CHANNEL_BINDING_DISABLE, CHANNEL_BINDING_PREFER, CHANNEL_BINDING_REQUIRE };

/* As it stands in files: "scram-sha-256". */
const char *auth_method_name(enum auth_method method);

/* It compares what the client says with the user's stored secret. */
static inline bool auth_method_compares(enum auth_method method) {
    return method == AUTH_SCRAM || method == AUTH_MD5 || method == AUTH_PASSWORD;
}

/* Somebody of whom no secret is stored can prove by it who it is. */
static inline bool auth_method_takes_strangers(enum auth_method method) {
    return method == AUTH_CERT || method == AUTH_PEER || method == AUTH_TRUST || method == AUTH_LDAP || method == AUTH_PAM;
}

/* Somebody else is asked about what the client says. */
static inline bool auth_method_is_external(enum auth_method method) {
    return method == AUTH_LDAP || method == AUTH_PAM;
}

/* The client sends its password as it is: inside TLS and on unix sockets only. */
static inline bool auth_method_is_in_clear(enum auth_method method) {
    return method == AUTH_PASSWORD || auth_method_is_external(method);
}

#endif
