/*
 * fuzz_pg_first.c - the first packet of anybody who connects.
 */
#include "proxy/wire/pg_encode.h"
#include "tests/fuzz/fuzz.h"

/* What was decoded, written again, is the packet that was sent. */
static void ck_same_again(const struct pg_first *f, struct bytes packet) {
    struct writer w;
    writer_init(&w, 1 << 16);
    if (f->kind == PG_FIRST_CANCEL) {
        pg_put_cancel(&w, f->cancel_pid, f->cancel_key);
        PROMISE(bytes_equal(writer_bytes(&w), packet));
    } else if (f->kind == PG_FIRST_STARTUP) {
        size_t at;
        pg_put_startup_begin(&w, &at);
        for (int i = 0; i < f->param_count; i++) pg_put_startup_param(&w, f->params[i].name, f->params[i].value);
        pg_put_startup_end(&w, at);
        writer_patch_be32(&w, 4, f->version);
        PROMISE(bytes_equal(writer_bytes(&w), packet));
    }
    writer_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = bytes_of(data, size);
    struct pg_first f;
    struct err err = {0};
    enum pg_frame frame = pg_first_read(in, &f, &err);
    PROMISE((frame == PG_FRAME_BAD) == err_is_set(&err));
    if (frame == PG_FRAME_NEED_MORE) PROMISE(size < PG_STARTUP_MAX);
    if (frame != PG_FRAME_OK) return 0;
    PROMISE(f.total >= 8 && f.total <= size && f.total <= PG_STARTUP_MAX);
    struct bytes packet = bytes_of(data, f.total);
    PROMISE(f.kind == PG_FIRST_STARTUP || f.param_count == 0);
    PROMISE(f.param_count >= 0 && f.param_count <= PG_PARAM_MAX);
    for (int i = 0; i < f.param_count; i++) {
        PROMISE(f.params[i].name.len > 0);
        PROMISE(fuzz_is_inside(f.params[i].name, packet) && fuzz_is_inside(f.params[i].value, packet));
    }
    ck_same_again(&f, packet);
    struct pg_first again;
    struct err unused;
    PROMISE(pg_first_read(bytes_of(data, f.total - 1), &again, &unused) == PG_FRAME_NEED_MORE);
    return 0;
}
