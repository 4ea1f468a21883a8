/*
 * What must be true, checked in every build.
 *
 * For arguments of exported functions, invariants and what cannot happen: never for input, which
 * is answered with a status. The program stops and says where.
 */
#pragma once

#include "base/attr.h"

#define AX_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            ax_assert_failed(__FILE__, __LINE__, #condition);                                      \
    } while (0)

[[gnu::noreturn]] void ax_assert_failed(const char *file, int line, const char *condition);
