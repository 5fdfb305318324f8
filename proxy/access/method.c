/*
 * The words for login methods.
 */
#include "proxy/access/method.h"

const char *auth_method_name(enum auth_method method) {
    static const char *const names[AUTH_METHODS] = {
        [AUTH_SCRAM] = "scram-sha-256", [AUTH_MD5] = "md5",   [AUTH_PASSWORD] = "password", [AUTH_CERT] = "cert",
        [AUTH_PEER] = "peer",           [AUTH_TRUST] = "trust", [AUTH_REJECT] = "reject",
        [AUTH_LDAP] = "ldap",           [AUTH_PAM] = "pam",
    };
    return names[method];
}
