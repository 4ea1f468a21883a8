#include "engine/shap_table.h"

#include "engine/scratch.h"
#include "engine/shap.h"

enum {
    OWN_MAX = 3,      /* inner nodes of a unit */
    OWN_BITS_MAX = 7, /* index bits of a unit that has any */
    POINTS_MAX = AX_SHAP_TABLE_FEATURES_MAX / 2,
    PATTERNS_MAX = 1 << AX_SHAP_TABLE_FEATURES_MAX,
};

/* A unit while tables are built. */
struct draft {
    uint64_t mask[AX_SHAP_TABLE_LANES_MAX];
    uint64_t want;
    size_t table;
    uint32_t output;
    uint32_t byte;
    uint32_t bits, count; /* of the index; of the features */
    int32_t feature[AX_SHAP_TABLE_LANES_MAX];
};

struct build {
    const struct ax_shap_table_source *source;
    const struct ax_shap_shape *shape; /* the tree in hand, and its output */
    uint32_t output;
    struct draft *drafts; /* NULL: only measuring */
    size_t draft_count;
    size_t value_count;
    double *values;                    /* to be filled; NULL: they are there, or only measured */
    const struct ax_shap_chunk *chunk; /* whose words the references have at present */
    uint64_t *words;
    double *leaf, *counts, *mixed, *before; /* of one leaf, by pattern */
    double t[POINTS_MAX + 1][POINTS_MAX], w[POINTS_MAX + 1][POINTS_MAX];
};

/* ---- one leaf, all patterns ---- */

/* By shares of cover: prefix and suffix products of z_i = share + t (one - share). */
static void
leaf_by_share(const struct build *build, const struct ax_shap_path *path, double value)
{
    size_t k = path->count, m = (k + 1) / 2;
    for (size_t o = 0; o < (size_t)1 << k; o++)
        for (size_t q = 0; q < m; q++) {
            double t = build->t[m][q], before[AX_SHAP_TABLE_FEATURES_MAX + 1] = {1}, after = 1;
            double slope[AX_SHAP_TABLE_FEATURES_MAX] = {};
            for (size_t i = 0; i < k; i++) {
                slope[i] = (double)(o >> i & 1) - path->share[i];
                before[i + 1] = before[i] * (path->share[i] + t * slope[i]);
            }
            for (size_t i = k; i-- > 0;) {
                build->leaf[o * k + i] += value * build->w[m][q] * slope[i] * before[i] * after;
                after *= path->share[i] + t * slope[i];
            }
        }
}

/* How many references have each pattern, times the leaf's value over all of them. */
static void
count_patterns(const struct build *build, const struct ax_shap_path *path, double value)
{
    const struct ax_shap_population *population = &build->source->population;
    double each = value / (double)population->count;
    memset(build->counts, 0, ((size_t)1 << path->count) * sizeof *build->counts);
    for (size_t r = 0; r < population->count; r++) {
        size_t pattern = 0;
        uint64_t off = build->words[r] ^ path->want;
        for (size_t i = 0; i < path->count; i++)
            pattern |= (size_t)((off & path->mask[i]) == 0) << i;
        build->counts[pattern] += 1;
    }
    for (size_t o = 0; o < (size_t)1 << path->count; o++)
        build->counts[o] *= each;
}

/* The matrix of bit i at point t, applied to all pairs of patterns; of feature j its own. */
static void
mix(double *mixed, size_t patterns, size_t bit, const double rows[2][2])
{
    double a = rows[0][0], b = rows[0][1], c = rows[1][0], d = rows[1][1];
    for (size_t base = 0; base < patterns; base += 2 * bit) {
        double *restrict none = mixed + base, *restrict has = mixed + base + bit;
        for (size_t o = 0; o < bit; o++) {
            double without = none[o], with = has[o];
            none[o] = a * without + b * with;
            has[o] = c * without + d * with;
        }
    }
}

/* Feature after feature: what the ones before it do is done once for all that follow. */
static void
leaf_by_reference(const struct build *build, const struct ax_shap_path *path, double value)
{
    size_t k = path->count, m = (k + 1) / 2, patterns = (size_t)1 << k;
    static const double own[2][2] = {{0, -1}, {1, 0}}; /* o - b */
    count_patterns(build, path, value);
    for (size_t q = 0; q < m; q++) {
        double t = build->t[m][q], weight = build->w[m][q];
        const double other[2][2] = {{0, 1 - t}, {t, 1}}; /* b + t (o - b) */
        memcpy(build->before, build->counts, patterns * sizeof *build->before);
        for (size_t j = 0; j < k; j++) {
            memcpy(build->mixed, build->before, patterns * sizeof *build->mixed);
            mix(build->mixed, patterns, (size_t)1 << j, own);
            for (size_t i = j + 1; i < k; i++)
                mix(build->mixed, patterns, (size_t)1 << i, other);
            for (size_t o = 0; o < patterns; o++)
                build->leaf[o * k + j] += weight * build->mixed[o];
            mix(build->before, patterns, (size_t)1 << j, other);
        }
    }
}

/* ---- units ---- */

/* Makes a chunk the one in hand, and works out the references' words of it. */
static void
enter_chunk(struct build *build, const struct ax_shap_chunk *chunk)
{
    const struct ax_shap_population *population = &build->source->population;
    const struct ax_forest *forest = build->source->forest;
    const struct ax_shap_shape *shape = build->shape;
    const struct ax_shap_inner *root = &shape->inner[chunk->root];
    if (chunk == build->chunk)
        return;
    build->chunk = chunk;
    for (size_t r = 0; population->rows && r < population->count; r++) {
        const double *row = population->rows + r * forest->feature_count;
        uint64_t word = 0;
        for (uint32_t i = 0; i < root->below; i++)
            word |= (uint64_t)ax_forest_goes_left(forest, root[i].node, row[root[i].node->feature])
                    << (root->level + i);
        for (int32_t up = root->parent; up >= 0; up = shape->inner[up].parent) {
            const struct ax_forest_node *node = shape->inner[up].node;
            word |= (uint64_t)ax_forest_goes_left(forest, node, row[node->feature])
                    << shape->inner[up].level;
        }
        build->words[r] = word;
    }
}

static size_t
width_of(const struct draft *draft)
{
    bool narrow = draft->bits <= AX_SHAP_TABLE_LANES && draft->count <= AX_SHAP_TABLE_LANES;
    return narrow ? AX_SHAP_TABLE_LANES : AX_SHAP_TABLE_LANES_MAX;
}

/* The pattern of a leaf's path when all splits but the unit's own are satisfied, by state of those.
 */
static size_t
own_pattern(const struct draft *draft, uint32_t root_count, const struct ax_shap_path *path,
            size_t state)
{
    uint64_t own = 0, word = 0;
    for (uint32_t b = root_count; b < draft->bits; b++) {
        own |= draft->mask[b];
        word |= state >> (b - root_count) & 1 ? draft->mask[b] : 0;
    }
    size_t pattern = 0;
    for (uint32_t i = 0; i < path->count; i++)
        pattern |= (size_t)(((word ^ path->want) & path->mask[i] & own) == 0) << i;
    return pattern;
}

/*
 * Adds the leaf's contributions to all entries. Its path begins with that to the unit, so the
 * lowest bits of an index are those of the pattern, but for what the unit's own splits refuse.
 */
static void
add_entries(const struct build *build, const struct draft *draft, uint32_t root_count,
            const struct ax_shap_path *path, const uint32_t *lane)
{
    size_t width = width_of(draft), roots = (size_t)1 << root_count;
    size_t rest = ((size_t)1 << path->count) - roots;
    double *to = build->values + draft->table;
    for (size_t state = 0; state < (size_t)1 << (draft->bits - root_count); state++) {
        size_t own = own_pattern(draft, root_count, path, state);
        for (size_t root = 0; root < roots; root++, to += width) {
            const double *given = build->leaf + ((root | rest) & own) * path->count;
            for (uint32_t i = 0; i < path->count; i++)
                to[lane[i]] += given[i];
        }
    }
}

/* Adds a leaf to its unit's entries. */
static void
add_leaf(struct build *build, const struct draft *draft, uint32_t root_count,
         const struct ax_shap_leaf *leaf)
{
    const struct ax_shap_shape *shape = build->shape;
    struct ax_shap_path path;
    ax_shap_shape_path(shape, build->chunk, leaf->parent, leaf->edge, &path);
    double value = ax_forest_value(build->source->forest, shape->tree, leaf->node, build->output);
    memset(build->leaf, 0, ((size_t)1 << path.count) * path.count * sizeof *build->leaf);
    if (build->source->population.rows)
        leaf_by_reference(build, &path, value);
    else
        leaf_by_share(build, &path, value);
    uint32_t lane[AX_SHAP_TABLE_LANES_MAX] = {};
    for (uint32_t i = 0; i < path.count; i++)
        for (lane[i] = 0; draft->feature[lane[i]] != path.feature[i];)
            lane[i]++;
    add_entries(build, draft, root_count, &path, lane);
}

/* The draft of a unit: the path's features and then its own nodes. */
static struct draft
draft_of(const struct build *build, const struct ax_shap_path *root, int32_t child)
{
    const struct ax_shap_shape *shape = build->shape;
    struct draft draft = {.output = build->output,
                          .byte = (uint32_t)(build->chunk->first_slot / 8),
                          .want = root->want,
                          .bits = root->count,
                          .count = root->count};
    for (uint32_t i = 0; i < root->count; i++) {
        draft.mask[i] = root->mask[i];
        draft.feature[i] = root->feature[i];
    }
    uint32_t own = child < 0 ? 0 : shape->inner[child].below;
    for (uint32_t i = 0; i < own; i++) {
        int32_t node = child + (int32_t)i, feature = shape->inner[node].node->feature;
        uint64_t bit = UINT64_C(1) << ax_shap_shape_bit(shape, build->chunk, node);
        draft.mask[draft.bits++] = bit;
        draft.want |= bit;
        uint32_t f = 0;
        while (f < draft.count && draft.feature[f] != feature)
            f++;
        draft.feature[f] = feature;
        draft.count += f == draft.count;
    }
    return draft;
}

/* Adds the unit of a child, and the entries of its leaves when tables are filled. */
static void
add_unit(struct build *build, const struct ax_shap_path *root, int32_t child)
{
    const struct ax_shap_shape *shape = build->shape;
    struct draft draft = draft_of(build, root, child);
    draft.table = build->value_count;
    build->value_count += width_of(&draft) << draft.bits;
    build->draft_count++;
    if (build->drafts)
        build->drafts[build->draft_count - 1] = draft;
    if (!build->values)
        return;
    for (uint32_t i = 0; i < shape->leaf_count; i++) {
        int32_t at = shape->leaves[i].parent;
        bool own = child < 0 ? (int32_t)i == ~child
                             : at >= child && at < child + (int32_t)shape->inner[child].below;
        if (own)
            add_leaf(build, &draft, root->count, &shape->leaves[i]);
    }
}

/* Cuts a tree into units from the top; trees with chunks are at most 64 inner nodes deep. */
static void
split(struct build *build, int32_t parent, uint8_t edge)
{
    const struct ax_shap_shape *shape = build->shape;
    int32_t child = parent < 0 ? 0 : shape->inner[parent].child[edge];
    const struct ax_shap_chunk *chunk = ax_shap_shape_chunk_below(shape, parent, edge);
    struct ax_shap_path root;
    ax_shap_shape_path(shape, chunk, parent, edge, &root);
    uint32_t own = child < 0 ? 0 : shape->inner[child].below;
    bool whole = child >= chunk->root && own <= OWN_MAX && root.count + own <= OWN_BITS_MAX;
    if (child < 0 || whole) {
        if (build->values)
            enter_chunk(build, chunk);
        else
            build->chunk = chunk;
        add_unit(build, &root, child);
        return;
    }
    split(build, child, 0);
    split(build, child, 1);
}

static void
split_tree(struct build *build, const struct ax_shap_shape *shape)
{
    const struct ax_shap_table_source *source = build->source;
    uint32_t from = shape->tree->output < 0 ? 0 : (uint32_t)shape->tree->output;
    uint32_t to = shape->tree->output < 0 ? (uint32_t)source->forest->output_count : from + 1;
    build->shape = shape;
    build->chunk = NULL;
    for (build->output = from; build->output < to; build->output++)
        split(build, -1, 0);
}

static void
split_wanted(struct build *build)
{
    const struct ax_shap_table_source *source = build->source;
    build->draft_count = build->value_count = 0;
    for (size_t t = 0; t < source->forest->tree_count; t++)
        if (source->wanted[t] && source->shapes[t].inner_count > 0)
            split_tree(build, &source->shapes[t]);
}

/* ---- the order of a call ---- */

/* Leading lanes that a unit and the next one of the same tree and output have in common. */
static uint8_t
shared_lanes(const struct draft *draft, const struct draft *next)
{
    uint8_t shared = 0;
    if (next->byte != draft->byte || next->output != draft->output ||
        width_of(next) != width_of(draft))
        return 0;
    while (shared < draft->count && shared < next->count &&
           draft->feature[shared] == next->feature[shared])
        shared++;
    return shared;
}

/* Narrow units first, tree order kept. */
static void
sort_drafts(const struct build *build, struct draft *sorted, struct ax_shap_table *table)
{
    size_t at = 0;
    for (size_t width = AX_SHAP_TABLE_LANES; width <= AX_SHAP_TABLE_LANES_MAX; width *= 2) {
        for (size_t i = 0; i < build->draft_count; i++)
            if (width_of(&build->drafts[i]) == width)
                sorted[at++] = build->drafts[i];
        if (width == AX_SHAP_TABLE_LANES)
            table->narrow_count = at;
    }
    table->unit_count = at;
}

static void
pack_units(const struct draft *drafts, struct ax_shap_table *table, struct ax_shap_unit *units,
           uint64_t *masks)
{
    for (size_t i = 0; i < table->unit_count; i++) {
        const struct draft *draft = &drafts[i];
        size_t width = width_of(draft);
        uint8_t keep = i + 1 < table->unit_count ? shared_lanes(draft, draft + 1) : 0;
        memcpy(masks, draft->mask, width * sizeof *masks);
        masks += width;
        units[i] = (struct ax_shap_unit){.want = draft->want,
                                         .byte = draft->byte,
                                         .table = (uint32_t)draft->table,
                                         .used = (uint16_t)((1u << draft->bits) - 1),
                                         .keep = keep};
        if (i < table->narrow_count / 2 && keep == 0)
            table->narrow_half = i + 1;
    }
}

/* The list of what is written out: counted by column, then filled in order. */
static ax_status
list_spills(const struct build *build, const struct draft *drafts, struct ax_ctx *ctx,
            struct ax_arena *arena, struct ax_shap_table *table)
{
    size_t features = build->source->forest->feature_count, used = 0, spill = 0;
    uint32_t *next = AX_NEW_ARRAY(ctx->arena, uint32_t, table->column_count + 1);
    uint32_t *ends = AX_NEW_ARRAY(arena, uint32_t, table->column_count);
    for (size_t i = 0; i < table->unit_count; i++)
        used += drafts[i].count - table->units[i].keep;
    uint32_t *list = AX_NEW_ARRAY(arena, uint32_t, used);
    if (!next || !ends || !list)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu contributions", used);
    for (size_t i = 0; i < table->unit_count; i++)
        for (uint32_t k = table->units[i].keep; k < drafts[i].count; k++)
            ends[drafts[i].output * features + (size_t)drafts[i].feature[k]]++;
    for (size_t c = 0, sum = 0; c < table->column_count; c++) {
        next[c] = (uint32_t)sum;
        sum += ends[c];
        ends[c] = (uint32_t)sum;
    }
    for (size_t i = 0; i < table->unit_count; i++) {
        for (uint32_t k = table->units[i].keep; k < drafts[i].count; k++)
            list[next[drafts[i].output * features + (size_t)drafts[i].feature[k]]++] =
                (uint32_t)(spill + k);
        spill += width_of(&drafts[i]);
    }
    table->list = list;
    table->list_end = ends;
    return AX_OK;
}

static ax_status
arrange(const struct build *build, struct ax_ctx *ctx, struct ax_arena *arena,
        struct ax_shap_table *table)
{
    struct draft *sorted = AX_NEW_ARRAY(ctx->arena, struct draft, build->draft_count);
    struct ax_shap_unit *units = AX_NEW_ARRAY(arena, struct ax_shap_unit, build->draft_count);
    if (!sorted || !units)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu tables", build->draft_count);
    sort_drafts(build, sorted, table);
    uint64_t *masks = ax_scratch_wide(
        ax_arena_alloc(arena, 1, ax_shap_table_spill_count(table) * 8 + AX_SCRATCH_WIDE));
    if (!masks)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu tables", build->draft_count);
    table->units = units;
    table->masks = masks;
    pack_units(sorted, table, units, masks);
    return list_spills(build, sorted, ctx, arena, table);
}

/* ---- exported ---- */

size_t
ax_shap_table_measure(const struct ax_forest *forest, const struct ax_shap_shape *shape)
{
    if (shape->inner_count == 0)
        return 0;
    if (shape->chunk_count == 0 || shape->tree->feature_max > AX_SHAP_TABLE_FEATURES_MAX)
        return SIZE_MAX;
    struct ax_shap_table_source source = {.forest = forest};
    struct build build = {.source = &source};
    split_tree(&build, shape);
    return build.value_count * sizeof *build.values;
}

static ax_status
make_room(struct build *build, struct ax_ctx *ctx)
{
    size_t references = build->source->population.rows ? build->source->population.count : 0;
    split_wanted(build);
    if (build->value_count > UINT32_MAX)
        return ax_fail(ctx, AX_LIMIT, "tables of %zu numbers", build->value_count);
    build->drafts = AX_NEW_ARRAY(ctx->arena, struct draft, build->draft_count);
    build->words = AX_NEW_ARRAY(ctx->arena, uint64_t, references);
    build->leaf = AX_NEW_ARRAY(ctx->arena, double, PATTERNS_MAX *AX_SHAP_TABLE_FEATURES_MAX);
    build->counts = AX_NEW_ARRAY(ctx->arena, double, PATTERNS_MAX);
    build->mixed = AX_NEW_ARRAY(ctx->arena, double, PATTERNS_MAX);
    build->before = AX_NEW_ARRAY(ctx->arena, double, PATTERNS_MAX);
    if (!build->drafts || !build->words || !build->leaf || !build->counts || !build->mixed ||
        !build->before)
        return ax_fail(ctx, AX_LIMIT, "no memory for tables of %zu numbers", build->value_count);
    for (size_t m = 1; m <= POINTS_MAX; m++)
        ax_shap_gauss(m, build->t[m], build->w[m]);
    return AX_OK;
}

/* ---- entries that were worked out before ---- */

static ax_str
text_of(const void *at, size_t bytes)
{
    return (ax_str){at, bytes};
}

/* Of all that the entries follow from besides the model: which trees, and the population. */
static ax_digest
key_of(const struct ax_shap_table_source *source, size_t value_count)
{
    const struct ax_forest *forest = source->forest;
    const struct ax_shap_population *population = &source->population;
    size_t rows = population->rows ? population->count : 0;
    const uint64_t sizes[] = {value_count, forest->tree_count, forest->feature_count, rows};
    const ax_str pieces[] = {
        text_of(sizes, sizeof sizes),
        text_of(source->wanted, forest->tree_count * sizeof *source->wanted),
        text_of(population->rows, rows * forest->feature_count * sizeof *population->rows)};
    ax_digest digest = ax_sha256_of(pieces, AX_COUNT_OF(pieces));
    return ax_forms_key(source->forms, AX_STR("shap table"), text_of(&digest, sizeof digest));
}

/* Entries of fewer bytes than this are made as quickly as they are found. */
static const size_t kept_bytes_least = 64 << 10;

/* Entries that were kept; NULL when there are none. */
static const double *
find_kept(const struct build *build, struct ax_ctx *ctx, ax_digest key, struct ax_arena *arena)
{
    ax_str found = ax_forms_find(build->source->forms->forms, ctx, key, arena);
    bool whole = found.len == build->value_count * sizeof *build->values;
    return whole ? (const void *)found.at : NULL;
}

/* The entries, from where they were kept or worked out. */
static ax_status
fill(struct build *build, struct ax_ctx *ctx, struct ax_arena *arena, struct ax_shap_table *table)
{
    size_t bytes = build->value_count * sizeof *build->values;
    bool kept = build->source->forms && bytes >= kept_bytes_least;
    ax_digest key = kept ? key_of(build->source, build->value_count) : (ax_digest){};
    table->value_count = build->value_count;
    table->values = kept ? find_kept(build, ctx, key, arena) : NULL;
    if (table->values) {
        table->mapped_bytes = bytes;
        split_wanted(build);
        return AX_OK;
    }
    build->values = ax_scratch_wide(ax_arena_alloc(arena, 1, bytes + AX_SCRATCH_WIDE));
    if (!build->values)
        return ax_fail(ctx, AX_LIMIT, "no memory for tables of %zu numbers", build->value_count);
    split_wanted(build);
    table->values = build->values;
    const ax_str entries = text_of(build->values, bytes);
    if (kept)
        ax_forms_keep(build->source->forms->forms, key, &entries, 1);
    return AX_OK;
}

ax_status
ax_shap_table_build(const struct ax_shap_table_source *source, struct ax_ctx *ctx,
                    struct ax_arena *arena, struct ax_shap_table *out_table)
{
    struct ax_shap_table table = {.column_count =
                                      source->forest->output_count * source->forest->feature_count};
    struct build *build = AX_NEW(ctx->arena, struct build);
    if (!build)
        return ax_fail(ctx, AX_LIMIT, "no memory for tables");
    build->source = source;
    AX_TRY(make_room(build, ctx));
    AX_TRY(fill(build, ctx, arena, &table));
    AX_TRY(arrange(build, ctx, arena, &table));
    *out_table = table;
    return AX_OK;
}
