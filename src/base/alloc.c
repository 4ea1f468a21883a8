#include "base/alloc.h"

#include <malloc.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/number.h"

void *
ax_alloc(size_t size, size_t count)
{
    size_t bytes;
    if (ax_fault_here() || !ax_mul(size, count, &bytes))
        return NULL;
    return calloc(1, bytes);
}

void *
ax_realloc(void *block, size_t bytes)
{
    if (ax_fault_here())
        return NULL;
    return realloc(block, bytes);
}

void
ax_free(void *block)
{
    free(block);
}

void
ax_alloc_trim(void)
{
    malloc_trim(0);
}
