/*
 * Asks a PAM service: authentication, then whether the account may be used now.
 *
 * libpam is made for many threads, each with a handle of its own; modules promise the same (libaudit, behind some, writes one and
 * the same path of the program into a variable that all share). What a module wants to be told without echo is the password; what
 * it wants to be shown goes to the log. A module's wish to wait after a wrong password is noted and not slept through: the desk has
 * few threads, and the worker can wait with a timer.
 */
#include <security/pam_appl.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "proxy/auth/secret.h"
#include "proxy/extauth/question.h"

static void forget_answers(struct pam_response *answers, int count) {
    for (int i = 0; i < count; i++) {
        if (!answers[i].resp) continue;
        secret_wipe(answers[i].resp, strlen(answers[i].resp));
        mem_free(answers[i].resp);
    }
    mem_free(answers);
}

/* PAM frees the answers with the C library's function: what mem_alloc() returns can be freed so. */
static int converse(int count, const struct pam_message **messages, struct pam_response **out, void *ctx) {
    struct extauth_question *q = ctx;
    if (count <= 0 || count > PAM_MAX_NUM_MSG) return PAM_CONV_ERR;
    struct pam_response *answers = mem_alloc((size_t)count * sizeof *answers);
    bool ok = answers != NULL;
    for (int i = 0; i < count && ok; i++) {
        switch (messages[i]->msg_style) {
        case PAM_PROMPT_ECHO_OFF:
            ok = (answers[i].resp = mem_strdup(q->password ? q->password : "", q->password ? strlen(q->password) : 0)) != NULL;
            break;
        case PAM_ERROR_MSG:
        case PAM_TEXT_INFO:
            log_line(LOG_INFO, "session", NULL, "PAM service %s about \"%s\": %.200s", q->pam.service, q->user, messages[i]->msg);
            break;
        default: /* a question that a password does not answer */
            ok = false;
        }
    }
    if (ok) *out = answers;
    else if (answers) forget_answers(answers, count);
    return ok ? PAM_SUCCESS : PAM_CONV_ERR;
}

static void note_delay(int code, unsigned us, void *ctx) {
    struct extauth_question *q = ctx;
    if (code != PAM_SUCCESS) q->delay_ms = us / 1000 < EXTAUTH_DELAY_MAX_MS ? us / 1000 : EXTAUTH_DELAY_MAX_MS;
}

/* The service does not work; everything else is about the user (a script of pam_exec that says no is a system error). */
static bool is_out_of_order(int code) {
    switch (code) {
    case PAM_OPEN_ERR:
    case PAM_SYMBOL_ERR:
    case PAM_SERVICE_ERR:
    case PAM_BUF_ERR:
    case PAM_CONV_ERR:
    case PAM_AUTHINFO_UNAVAIL:
    case PAM_MODULE_UNKNOWN:
    case PAM_ABORT:
        return true;
    default:
        return false;
    }
}

static void judge(struct extauth_question *q, pam_handle_t *handle, int code) {
    if (code == PAM_SUCCESS) {
        q->result = EXTAUTH_RIGHT;
        return;
    }
    q->result = is_out_of_order(code) ? EXTAUTH_FAILED : EXTAUTH_WRONG;
    err_set(&q->err, q->result == EXTAUTH_WRONG ? ERR_INVALID_AUTHORIZATION : ERR_CANNOT_CONNECT, "PAM service %s: %s",
            q->pam.service,
            pam_strerror(handle, code));
}

void extauth_ask_pam(struct extauth_question *q) {
    /* PAM hands the conversation's context to the delay as well. */
    struct pam_conv conversation = {.conv = converse, .appdata_ptr = q};
    union {
        void (*call)(int code, unsigned us, void *ctx);
        const void *item;
    } delay = {.call = note_delay};
    pam_handle_t *handle = NULL;
    int code = q->pam_directory ? pam_start_confdir(q->pam.service, q->user, &conversation, q->pam_directory, &handle)
               : pam_start(q->pam.service, q->user, &conversation, &handle);
    if (code != PAM_SUCCESS) {
        q->result = EXTAUTH_FAILED;
        err_set(&q->err, ERR_CANNOT_CONNECT, "PAM service %s cannot be started: %s", q->pam.service, pam_strerror(handle, code));
        return;
    }
    code = pam_set_item(handle, PAM_RHOST, q->host);
    if (code == PAM_SUCCESS) code = pam_set_item(handle, PAM_FAIL_DELAY, delay.item);
    if (code == PAM_SUCCESS) code = pam_authenticate(handle, PAM_DISALLOW_NULL_AUTHTOK);
    if (code == PAM_SUCCESS) code = pam_acct_mgmt(handle, PAM_DISALLOW_NULL_AUTHTOK);
    judge(q, handle, code);
    (void)pam_end(handle, code);
}
