/*
 * A string is a pointer and a length. It is never owned and never needs a terminator.
 *
 * Bytes use the same type. C strings exist only at a library's door (ax_str_c).
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/attr.h"

typedef struct ax_str {
    const char *at;
    size_t len;
} ax_str;

struct ax_arena;

#define AX_STR(literal) ((ax_str){"" literal, sizeof(literal) - 1})

/* For printf: "%.*s", AX_FMT(name). */
#define AX_FMT(str) (int)(str).len, (str).at

static inline bool
ax_str_eq(ax_str a, ax_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* A C string, borrowed; NULL is "". */
static inline ax_str
ax_str_of(const char *text)
{
    return text ? (ax_str){text, strlen(text)} : (ax_str){"", 0};
}

/* The part from byte `from` (at most len) to the end. */
static inline ax_str
ax_str_from(ax_str str, size_t from)
{
    return from >= str.len ? (ax_str){str.at + str.len, 0}
                           : (ax_str){str.at + from, str.len - from};
}

/* < 0, 0, > 0: by bytes, the shorter first. */
int ax_str_cmp(ax_str a, ax_str b);

/* Equal when A-Z and a-z are the same letters. */
bool ax_str_eq_ignoring_case(ax_str a, ax_str b);

bool ax_str_starts(ax_str str, ax_str prefix);
bool ax_str_ends(ax_str str, ax_str suffix);

/* Index of the first occurrence, or SIZE_MAX. */
size_t ax_str_find(ax_str str, ax_str part);

/* Without white space (space, \t, \r, \n) at both ends. */
ax_str ax_str_trim(ax_str str);

/*
 * Takes what stands before the first separator off the front: false when nothing is left.
 * "a,b" gives "a" then "b"; "a," gives "a" then ""; "" gives "" once.
 * rest: start with the whole string; its `at` becomes NULL after the last part.
 */
bool ax_str_cut(ax_str *rest, char separator, ax_str *out_part);

/* Copies in the arena, with a terminator behind; false past the budget. */
bool ax_str_copy(struct ax_arena *arena, ax_str str, ax_str *out_copy);

/* A C string in the arena, or NULL past the budget. A NUL inside ends it early: check first. */
const char *ax_str_c(struct ax_arena *arena, ax_str str);

/* printf in the arena; at is NULL past the budget. */
AX_PRINTF(2, 3)
ax_str ax_str_printf(struct ax_arena *arena, const char *format, ...);
