/*
 * test_extauth.c - questions to others and the threads that ask them: whose memory is whose, and when an answer comes.
 *
 * Who is asked is a port where nobody listens; what a directory and PAM say is in tests/script/external.py.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/fault.h"
#include "proxy/extauth/desk.h"
#include "tests/unit/check_main.h"

enum { WAIT_MS = 20000 };

static struct loop loop;
static struct extauth_desk *desk;
static int answers, forgotten;
static enum extauth_result last_result;

static void on_wake(struct loop *l) {
    (void)l;
}

static void on_release(struct loop *l) {
    (void)l;
}

static const struct loop_ops ops = {.wake = on_wake, .release = on_release, .stream_size = sizeof(void *) * 64};

static void set_up(void) {
    loop_init(&loop, &ops, NULL, &clock_real);
    desk = extauth_desk_new();
    ck_assert(desk != NULL);
    answers = forgotten = 0;
}

static void tear_down(void) {
    ck_assert(extauth_desk_close(desk));
    while (loop_take_mail(&loop)) {}
    loop_release(&loop);
}

static void on_answer(struct mail *m) {
    struct extauth_question *q = CONTAINER_OF(m, struct extauth_question, mail);
    answers++;
    if (!q->asker) forgotten++;
    last_result = q->result;
    ck_assert(q->result == EXTAUTH_RIGHT || err_is_set(&q->err));
    extauth_question_free(q);
}

/* Texts that are gone as soon as the question is made. */
static struct extauth_question *question(enum auth_method method, uint32_t within_ms) {
    char uris[] = "ldap://127.0.0.1:1", prefix[] = "uid=", suffix[] = ",dc=x", empty[] = "", service[] = "nobody", user[] = "ann",
         host[] = "10.0.0.1", directory[] = "/nowhere";
    struct ldap_options ldap = {.uris = uris, .server_count = 1, .prefix = prefix, .suffix = suffix, .filter = empty, .bind_dn = empty,
                                .bind_password = empty};
    struct pam_options pam = {.service = service};
    struct extauth_question *q = extauth_question_new(method, &ldap, &pam, directory, user, host);
    ck_assert(q != NULL);
    memset(uris, 'x', sizeof uris - 1);
    memset(user, 'x', sizeof user - 1);
    memset(service, 'x', sizeof service - 1);
    ck_assert(extauth_question_set_password(q, bytes_str("secret")));
    q->until_us = clock_now_us(&clock_real) + (uint64_t)within_ms * 1000;
    q->answer_to = &loop;
    q->asker = &loop;
    q->mail.run = on_answer;
    return q;
}

static void wait_for(int count) {
    for (int i = 0; i < WAIT_MS && answers < count; i++) {
        (void)loop_take_mail(&loop);
        if (answers < count) usleep(1000);
    }
    ck_assert_int_eq(answers, count);
}

START_TEST(a_question_owns_what_it_says) {
    struct extauth_question *q = question(AUTH_LDAP, 1000);
    ck_assert_str_eq(q->user, "ann");
    ck_assert_str_eq(q->host, "10.0.0.1");
    ck_assert_str_eq(q->ldap.uris, "ldap://127.0.0.1:1");
    ck_assert_str_eq(q->ldap.suffix, ",dc=x");
    ck_assert_ptr_null(q->ldap.base);
    ck_assert_str_eq(q->password, "secret");
    extauth_question_free(q);
    q = question(AUTH_PAM, 1000);
    ck_assert_str_eq(q->pam.service, "nobody");
    ck_assert_str_eq(q->pam_directory, "/nowhere");
    extauth_question_free(q);
    extauth_question_free(NULL);
}
END_TEST

START_TEST(every_question_is_answered_once) {
    struct err err;
    for (int i = 0; i < 40; i++) ck_assert(extauth_desk_ask(desk, question(AUTH_LDAP, WAIT_MS), 3, &err));
    wait_for(40);
    ck_assert_int_eq(last_result, EXTAUTH_FAILED);
    usleep(50000); /* all threads are idle */
    for (int i = 0; i < 5; i++) {
        ck_assert(extauth_desk_ask(desk, question(AUTH_LDAP, WAIT_MS), 1, &err)); /* fewer threads now: none may leave with a question */
        wait_for(41 + i);
    }
    ck_assert_int_eq(forgotten, 0);
}
END_TEST

START_TEST(who_has_no_time_left_is_not_asked_about) {
    struct err err;
    ck_assert(extauth_desk_ask(desk, question(AUTH_LDAP, 0), 1, &err));
    wait_for(1);
    ck_assert_int_eq(last_result, EXTAUTH_FAILED);
}
END_TEST

START_TEST(an_empty_password_asks_nobody) {
    struct extauth_question *q = question(AUTH_LDAP, WAIT_MS);
    q->password[0] = '\0';
    extauth_ask_ldap(q);
    ck_assert_int_eq(q->result, EXTAUTH_WRONG);
    extauth_question_free(q);
}
END_TEST

/* Those that nobody has begun with vanish; the others come back to nobody. */
START_TEST(who_leaves_is_forgotten) {
    struct extauth_question *asked[30];
    struct err err;
    for (int i = 0; i < 30; i++) {
        asked[i] = question(AUTH_LDAP, WAIT_MS);
        ck_assert(extauth_desk_ask(desk, asked[i], 2, &err));
    }
    for (int i = 0; i < 30; i += 2) extauth_desk_forget(desk, asked[i]); /* no mail was taken yet: each is still there */
    for (int i = 0; i < WAIT_MS && answers - forgotten < 15; i++) {
        (void)loop_take_mail(&loop);
        usleep(1000);
    }
    ck_assert_int_eq(answers - forgotten, 15);
}
END_TEST

START_TEST(an_end_with_questions_open) {
    struct err err;
    for (int i = 0; i < 50; i++) ck_assert(extauth_desk_ask(desk, question(AUTH_LDAP, WAIT_MS), 4, &err));
}
END_TEST

START_TEST(names_that_mean_something_are_nobodys) {
    static const char *const right[] = {"ann", "mary-jane", "o'neill", "ann@example", "a.b_c", "\xc3\xa9t\xc3\xa9", "a b", "a#b"};
    static const char *const wrong[] = {"", "*", "a*", "a,b", "a=b", "a+b", "a\\b", "a;b", "a<b", "a>b", "a\"b", "(a", "a)", "a/b",
                                        " a", "a ", "#a", "a\nb", "a\x7f"};
    for (size_t i = 0; i < COUNT_OF(right); i++) ck_assert_msg(external_is_ldap_name(right[i], true), "%s", right[i]);
    ck_assert(external_is_ldap_name("ann", false) && external_is_ldap_name("a b", false));
    ck_assert(!external_is_ldap_name("\xc2\xa0" "ann", false) && !external_is_ldap_name("a  b", false));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) ck_assert_msg(!external_is_ldap_name(wrong[i], true), "%s", wrong[i]);
}
END_TEST

int main(void) {
    TCase *t = tcase_create("extauth");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, a_question_owns_what_it_says);
    tcase_add_test(t, every_question_is_answered_once);
    tcase_add_test(t, who_has_no_time_left_is_not_asked_about);
    tcase_add_test(t, an_empty_password_asks_nobody);
    tcase_add_test(t, who_leaves_is_forgotten);
    tcase_add_test(t, an_end_with_questions_open);
    tcase_add_test(t, names_that_mean_something_are_nobodys);
    return check_main_of("extauth", t);
}
