/*
 * build.h - compiler attributes and the few limits that every layer shares.
 *
 * Nothing here knows a database. Limits of a protocol live in the protocol's
 * own header; limits that an operator can change live in proxy/config.h.
 */
#ifndef GILMOK_BASE_BUILD_H
#define GILMOK_BASE_BUILD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RARELY __attribute__((noinline, cold)) /* of a function: what it needs burdens nobody who does not call it */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The object of type `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/*
 * An invariant of our own code. It stays on in release builds for protocol and
 * pool state: a wrong row is worse than a stopped process. A peer's mistake is
 * never an INVARIANT; it is an error reply or a closed connection.
 */
#define INVARIANT(cond) (LIKELY(cond) ? (void)0 : invariant_failed(#cond, __FILE__, __LINE__))
void invariant_failed(const char *cond, const char *file, int line) __attribute__((noreturn, cold));

#endif
