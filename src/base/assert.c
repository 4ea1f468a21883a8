#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void
ax_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "axiom: %s:%d: broken promise: %s\n", file, line, condition);
    abort();
}
