/*
 * The table of login_fit.h.
 */
#include "proxy/access/login_fit.h"

enum { S = 1 << SERVER_AUTH_SCRAM, M = 1 << SERVER_AUTH_MD5, P = 1 << SERVER_AUTH_PASSWORD, CAN_LOG_IN = 1 << 7 };

/* clang-format off */
static const unsigned char table[AUTH_METHODS][STORED_SECRETS] = {
    /*                  nothing       plain password          SCRAM verifier    md5 verifier    MySQL */
    [AUTH_SCRAM]    = { 0,            CAN_LOG_IN | S | M | P, CAN_LOG_IN | S,   0,              0          },
    [AUTH_MD5]      = { 0,            CAN_LOG_IN | S | M | P, CAN_LOG_IN | S,   CAN_LOG_IN | M, 0          },
    [AUTH_PASSWORD] = { 0,            CAN_LOG_IN | S | M | P, CAN_LOG_IN | S,   CAN_LOG_IN | M, CAN_LOG_IN },
    [AUTH_CERT]     = { CAN_LOG_IN,   CAN_LOG_IN | S | M | P, CAN_LOG_IN,       CAN_LOG_IN | M, CAN_LOG_IN },
    [AUTH_PEER]     = { CAN_LOG_IN,   CAN_LOG_IN | S | M | P, CAN_LOG_IN,       CAN_LOG_IN | M, CAN_LOG_IN },
    [AUTH_TRUST]    = { CAN_LOG_IN,   CAN_LOG_IN | S | M | P, CAN_LOG_IN,       CAN_LOG_IN | M, CAN_LOG_IN },
    [AUTH_LDAP]     = { CAN_LOG_IN,   CAN_LOG_IN | S | M | P, CAN_LOG_IN,       CAN_LOG_IN | M, CAN_LOG_IN },
    [AUTH_PAM]      = { CAN_LOG_IN,   CAN_LOG_IN | S | M | P, CAN_LOG_IN,       CAN_LOG_IN | M, CAN_LOG_IN },
    [AUTH_REJECT]   = { 0,            0,                      0,                0,              0          },
};
/* clang-format on */

bool login_fit_client(enum auth_method method, enum stored_secret secret) {
    return table[method][secret] & CAN_LOG_IN;
}

bool login_fit_server(enum auth_method method, enum stored_secret secret, enum server_auth weakest) {
    unsigned may_be_asked = (2u << weakest) - 1;
    return table[method][secret] & may_be_asked;
}
