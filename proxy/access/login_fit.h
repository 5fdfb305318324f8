/*
 * login_fit.h - which login methods, stored secrets and servers go together: one closed table.
 *
 *                  what is stored of the user
 *                  nothing    plain password   SCRAM verifier   md5 verifier   what MySQL stores
 *     scram        -          S M P            S *              -              -
 *     md5          -          S M P            S *              M              -
 *     password     -          S M P            S *              M              (none)
 *     cert         (none)     S M P            (none)           M              (none)
 *     peer         (none)     S M P            (none)           M              (none)
 *     trust        (none)     S M P            (none)           M              (none)
 *     ldap, pam    (none)     S M P            (none)           M              (none)
 *     reject       -          -                -                -              -
 *
 *     -        the client cannot log in to gilmok
 *     S M P    it can, and gilmok can then answer a server that asks for SCRAM, an md5 password, a clear one
 *     *        by the client's own proof, kept in memory: only while the server's verifier has the same salt and iterations
 *     (none)   it can, and gilmok can answer no server in its name: the database needs server_user
 *
 * config_check_users.c refuses what cannot work; tests/script/matrix.py tries each cell on a server.
 */
#ifndef GILMOK_PROXY_ACCESS_LOGIN_FIT_H
#define GILMOK_PROXY_ACCESS_LOGIN_FIT_H

#include "proxy/access/method.h"

enum stored_secret { STORED_NOTHING, STORED_PASSWORD, STORED_SCRAM, STORED_MD5, STORED_MYSQL };
enum { STORED_SECRETS = STORED_MYSQL + 1 };

/* Can a user of whom that is stored log in by the method? */
bool login_fit_client(enum auth_method method, enum stored_secret secret);

/*
 * Has the server, which may ask for `weakest` and everything stronger, a method that gilmok can answer in the name of a user
 * who has logged in like this?
 */
bool login_fit_server(enum auth_method method, enum stored_secret secret, enum server_auth weakest);

#endif
