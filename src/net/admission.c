#include "net/admission.h"

#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "sys/mutex.h"

struct address {
    uint64_t key; /* 0: free */
    size_t count;
};

struct ax_admission {
    size_t connections_max;
    size_t per_address_max;
    size_t slot_mask;
    struct ax_mutex mutex;
    struct address *slots; /* guarded by mutex, as is totals; open addressing, half full at most */
    struct ax_admission_totals totals;
};

ax_status
ax_admission_open(struct ax_ctx *ctx, size_t connections_max, size_t per_address_max,
                  struct ax_admission **out_admission)
{
    AX_ASSERT(connections_max > 0 && connections_max <= SIZE_MAX / 4);
    size_t slot_count = 2;
    while (slot_count < connections_max * 2)
        slot_count *= 2;
    struct ax_admission *admission = ax_alloc(1, sizeof *admission);
    struct address *slots = ax_alloc(sizeof *slots, slot_count);
    if (!admission || !slots) {
        ax_free(admission);
        ax_free(slots);
        return ax_fail(ctx, AX_LIMIT, "no memory to count %zu connections", connections_max);
    }
    admission->connections_max = connections_max;
    admission->per_address_max = per_address_max;
    admission->slot_mask = slot_count - 1;
    admission->slots = slots;
    ax_mutex_init(&admission->mutex);
    *out_admission = admission;
    return AX_OK;
}

void
ax_admission_close(struct ax_admission *admission)
{
    ax_mutex_done(&admission->mutex);
    ax_free(admission->slots);
    ax_free(admission);
}

uint64_t
ax_admission_key(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        return UINT64_C(1) << 32 | four.sin_addr.s_addr;
    }
    if (address->sa_family != AF_INET6)
        return 0;
    struct sockaddr_in6 six;
    memcpy(&six, address, sizeof six);
    if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
        uint32_t four;
        memcpy(&four, six.sin6_addr.s6_addr + 12, sizeof four);
        return UINT64_C(1) << 32 | four;
    }
    uint64_t network;
    memcpy(&network, six.sin6_addr.s6_addr, sizeof network);
    return network != 0 ? network : UINT64_C(1) << 33; /* ::1 and the like */
}

/* Its slot, or the free one where it would stand. */
static size_t
slot_of(const struct ax_admission *admission, uint64_t key)
{
    char bytes[sizeof key];
    memcpy(bytes, &key, sizeof key);
    size_t at = ax_map_hash((ax_str){bytes, sizeof bytes}) & admission->slot_mask;
    while (admission->slots[at].key != 0 && admission->slots[at].key != key)
        at = (at + 1) & admission->slot_mask;
    return at;
}

bool
ax_admission_enter(struct ax_admission *admission, uint64_t key)
{
    ax_mutex_lock(&admission->mutex);
    bool fits = (size_t)admission->totals.open < admission->connections_max;
    if (fits && key != 0) {
        struct address *address = &admission->slots[slot_of(admission, key)];
        fits = address->count < admission->per_address_max;
        if (fits) {
            address->key = key;
            address->count++;
        }
    }
    admission->totals.open += fits;
    admission->totals.accepted += fits;
    admission->totals.refused += !fits;
    ax_mutex_unlock(&admission->mutex);
    return fits;
}

/* Closes the gap, so that those who had to step aside are found again. */
static void
free_slot(struct ax_admission *admission, size_t gap)
{
    struct address *slots = admission->slots;
    slots[gap] = (struct address){};
    for (size_t at = (gap + 1) & admission->slot_mask; slots[at].key != 0;
         at = (at + 1) & admission->slot_mask) {
        struct address moved = slots[at];
        slots[at] = (struct address){};
        slots[slot_of(admission, moved.key)] = moved;
    }
}

void
ax_admission_leave(struct ax_admission *admission, uint64_t key)
{
    ax_mutex_lock(&admission->mutex);
    AX_ASSERT(admission->totals.open > 0);
    admission->totals.open--;
    if (key != 0) {
        size_t at = slot_of(admission, key);
        AX_ASSERT(admission->slots[at].count > 0);
        if (--admission->slots[at].count == 0)
            free_slot(admission, at);
    }
    ax_mutex_unlock(&admission->mutex);
}

void
ax_admission_count_refused(struct ax_admission *admission)
{
    ax_mutex_lock(&admission->mutex);
    admission->totals.refused++;
    ax_mutex_unlock(&admission->mutex);
}

void
ax_admission_count_cut(struct ax_admission *admission)
{
    ax_mutex_lock(&admission->mutex);
    admission->totals.cut++;
    ax_mutex_unlock(&admission->mutex);
}

struct ax_admission_totals
ax_admission_totals(struct ax_admission *admission)
{
    ax_mutex_lock(&admission->mutex);
    struct ax_admission_totals totals = admission->totals;
    ax_mutex_unlock(&admission->mutex);
    return totals;
}
