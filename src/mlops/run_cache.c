#include "mlops/run_cache.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "sys/mutex.h"

enum { SETS = 4096, WAYS = 4 };

struct kept {
    int64_t key, revision;
    char *text; /* NULL: a free place */
    size_t len;
    uint64_t used; /* when last */
};

struct ax_run_cache {
    struct ax_mutex mutex;
    size_t bytes_max;
    /* guarded by mutex: */
    size_t bytes;
    size_t hand; /* the next place to be emptied when memory is short */
    uint64_t clock;
    struct kept kept[SETS * WAYS];
};

struct ax_run_cache *
ax_run_cache_new(size_t bytes_max)
{
    struct ax_run_cache *cache = ax_alloc(sizeof *cache, 1);
    if (!cache)
        return NULL;
    ax_mutex_init(&cache->mutex);
    cache->bytes_max = bytes_max;
    return cache;
}

void
ax_run_cache_free(struct ax_run_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < AX_COUNT_OF(cache->kept); i++)
        ax_free(cache->kept[i].text);
    ax_mutex_done(&cache->mutex);
    ax_free(cache);
}

static struct kept *
set_of(struct ax_run_cache *cache, int64_t key)
{
    return &cache->kept[(uint64_t)key % SETS * WAYS];
}

static void
empty(struct ax_run_cache *cache, struct kept *kept)
{
    cache->bytes -= kept->text ? kept->len : 0;
    ax_free(kept->text);
    *kept = (struct kept){};
}

bool
ax_run_cache_find(struct ax_run_cache *cache, int64_t key, int64_t revision, struct ax_writer *out)
{
    bool found = false;
    ax_mutex_lock(&cache->mutex);
    struct kept *set = set_of(cache, key);
    for (size_t i = 0; i < WAYS && !found; i++) {
        if (!set[i].text || set[i].key != key || set[i].revision != revision)
            continue;
        set[i].used = ++cache->clock;
        ax_writer_bytes(out, (ax_str){set[i].text, set[i].len});
        found = true;
    }
    ax_mutex_unlock(&cache->mutex);
    return found;
}

/* The run's own place, else a free one, else the one that was not used for longest. */
static struct kept *
place_for(struct kept *set, int64_t key)
{
    struct kept *place = &set[0];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].text && set[i].key == key)
            return &set[i];
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < place->used)
            place = &set[i];
    return place;
}

void
ax_run_cache_keep(struct ax_run_cache *cache, int64_t key, int64_t revision, ax_str text)
{
    if (text.len == 0 || text.len > cache->bytes_max / 8)
        return;
    ax_fault_benign_begin(); /* without memory it is read again the next time */
    char *copy = ax_alloc(text.len, 1);
    ax_fault_benign_end();
    if (!copy)
        return;
    memcpy(copy, text.at, text.len);
    ax_mutex_lock(&cache->mutex);
    empty(cache, place_for(set_of(cache, key), key));
    while (cache->bytes + text.len > cache->bytes_max) {
        empty(cache, &cache->kept[cache->hand]);
        cache->hand = (cache->hand + 1) % AX_COUNT_OF(cache->kept);
    }
    *place_for(set_of(cache, key), key) = (struct kept){
        .key = key, .revision = revision, .text = copy, .len = text.len, .used = ++cache->clock};
    cache->bytes += text.len;
    ax_mutex_unlock(&cache->mutex);
}
