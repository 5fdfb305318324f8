/* What a set of startup parameters comes to: the question, its answer, and who remembers it. */
#include "proxy/pool/startup_pg.h"
#include "proxy/wire/pg_encode.h"
#include "tests/unit/check_main.h"

#define KEY(text) bytes_of(text, sizeof(text) - 1)

static struct writer rows, sql;
static struct params_pg reported;
static struct startup_pg *st;

static void fresh(void) {
    writer_init(&rows, 1 << 16);
    writer_init(&sql, 1 << 16);
    ck_assert(params_pg_set(&reported, bytes_str("TimeZone"), bytes_str("Asia/Tokyo")));
    ck_assert(params_pg_set(&reported, bytes_str("DateStyle"), bytes_str("ISO, MDY")));
}

static void release(void) {
    writer_release(&rows);
    writer_release(&sql);
    params_pg_release(&reported);
    startup_pg_unref(st);
    st = NULL;
}

static void row(const char *name, const char *value) {
    size_t at = pg_begin(&rows, 'D');
    writer_be16(&rows, 2);
    writer_be32(&rows, (uint32_t)strlen(name));
    writer_str(&rows, name);
    writer_be32(&rows, (uint32_t)strlen(value));
    writer_str(&rows, value);
    pg_end(&rows, at);
}

static bool is_shared(struct bytes key) {
    startup_pg_unref(st);
    st = startup_pg_new(key);
    ck_assert(startup_pg_read(st, writer_bytes(&rows), &reported));
    return st->is_shareable;
}

static const struct {
    const char *key;
    size_t len;
    bool is_asked;
} keys[] = {
#define CASE(text, asked) {text, sizeof(text) - 1, asked}
    CASE("TimeZone\0Asia/Tokyo\0", true),
    CASE("app.tenant\0one\0", true),
    CASE("options\0-c a=b -cc=d --e-f=g \\ x=\0", false),
    CASE("options\0-c a=b -cc=d --e-f=g\\ h\0", true),
    CASE("options\0\0", true),
    CASE("options\0-S 5\0", false),
    CASE("options\0-c\0", false),
    CASE("options\0-c work_mem\0", false),
    CASE("options\0-c role=x\0", false),
    CASE("options\0-c application_name=x\0", false),
    CASE("temp_buffers\0001MB\0", false),
    CASE("transaction_isolation\0serializable\0", false),
    CASE("odd name\0x\0", false),
};

START_TEST(what_can_be_asked) {
    fresh();
    ck_assert_msg(startup_pg_put_question(&sql, bytes_of(keys[_i].key, keys[_i].len)) == keys[_i].is_asked, "%d", _i);
    release();
}
END_TEST

START_TEST(answers_are_read) {
    fresh();
    row("TimeZone", "Asia/Tokyo");
    row("work_mem", "4096");
    ck_assert(is_shared(KEY("options\0-c work-mem=4MB\0timezone\0Asia/Tokyo\0")));
    ck_assert(startup_pg_sets(st, bytes_str("WORK_MEM")) && startup_pg_sets(st, bytes_str("timezone")));
    ck_assert(!startup_pg_sets(st, bytes_str("datestyle")));
    ck_assert_uint_eq(st->rest.count, 1);
    ck_assert(!is_shared(KEY("options\0-c work-mem=4MB -c geqo=off\0timezone\0Asia/Tokyo\0"))); /* geqo was not confirmed */
    ck_assert(!is_shared(KEY("timezone\0Asia/Tokyo\0"))); /* there is more than was asked for */
    row("app.who", "caf\xc3\xa9");
    ck_assert(!is_shared(KEY("app.who\0x\0options\0-c work-mem=4MB\0timezone\0Asia/Tokyo\0")));
    release();
}
END_TEST

START_TEST(they_are_laid_over_a_start) {
    struct params_pg start = {0}, home = {0};
    fresh();
    row("TimeZone", "Asia/Tokyo");
    ck_assert(is_shared(KEY("TimeZone\0Asia/Tokyo\0")));
    ck_assert(params_pg_set(&start, bytes_str("TimeZone"), bytes_str("UTC")));
    ck_assert(params_pg_set(&start, bytes_str("DateStyle"), bytes_str("German, DMY")));
    ck_assert(!startup_pg_is_there(st, &start));
    ck_assert(startup_pg_put_on(st, &start, &home));
    ck_assert_str_eq(params_pg_get(&home, "TimeZone"), "Asia/Tokyo");
    ck_assert_str_eq(params_pg_get(&home, "DateStyle"), "German, DMY");
    ck_assert(startup_pg_is_there(st, &home));
    params_pg_release(&start);
    params_pg_release(&home);
    release();
}
END_TEST

START_TEST(the_latest_are_remembered) {
    struct list known;
    char key[] = "a\0a0\0";
    list_init(&known);
    for (int i = 0; i < STARTUP_PG_KEPT + 1; i++) {
        key[2] = (char)('0' + i);
        startup_pg_remember(&known, startup_pg_new(bytes_of(key, 5)));
    }
    ck_assert(startup_pg_find(&known, bytes_of(key, 5)));
    key[2] = '0';
    ck_assert(!startup_pg_find(&known, bytes_of(key, 5)));
    key[2] = '1';
    ck_assert(startup_pg_find(&known, bytes_of(key, 5)));
    startup_pg_forget_all(&known);
    ck_assert(list_is_empty(&known));
}
END_TEST

int main(void) {
    TCase *tc = tcase_create("startup_pg");
    tcase_add_loop_test(tc, what_can_be_asked, 0, COUNT_OF(keys));
    tcase_add_test(tc, answers_are_read);
    tcase_add_test(tc, they_are_laid_over_a_start);
    tcase_add_test(tc, the_latest_are_remembered);
    return check_main_of("startup_pg", tc);
}
