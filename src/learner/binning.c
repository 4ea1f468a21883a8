#include "learner/binning.h"

#include <math.h>

#include "base/assert.h"
#include "numeric/stats.h"

enum { FINE_BINS = 40, BINS_MAX = 32, SEARCH_BYTES_MAX = 64 << 20 };

/* The finest bin the search knows: rows between two edges, or one group of categories. */
struct fine {
    uint64_t good, bad;
};

/* The rows that are binned. */
struct subject {
    const struct ax_frame_column *column;
    const uint8_t *labels;
    size_t row_count;
    const double *specials; /* ascending */
    size_t special_count;
};

/* What the search for cuts is given. */
struct search {
    const struct fine *until; /* until[i]: the first i fine bins together; fine_count + 1 */
    size_t fine_count;
    uint64_t good_total, bad_total; /* of all rows, missing ones too */
    double rows_min;                /* in a bin */
    size_t bins_max;
    double smoothing;
    bool ordered;  /* the bad rate must be monotone */
    int direction; /* +1, -1 */
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for the bins");
}

static double
weight_of_evidence(const struct search *search, uint64_t good, uint64_t bad)
{
    return log((((double)good + search->smoothing) / (double)search->good_total) /
               (((double)bad + search->smoothing) / (double)search->bad_total));
}

static double
information(const struct search *search, uint64_t good, uint64_t bad)
{
    double difference =
        (double)good / (double)search->good_total - (double)bad / (double)search->bad_total;
    return difference * weight_of_evidence(search, good, bad);
}

static struct fine
sum(const struct search *search, size_t from, size_t to)
{
    const struct fine *until = search->until;
    return (struct fine){until[to].good - until[from].good, until[to].bad - until[from].bad};
}

/* Counts of bins at [1 ..] become sums up to there. */
static void
accumulate(struct fine *counts, size_t count)
{
    for (size_t i = 1; i <= count; i++) {
        counts[i].good += counts[i - 1].good;
        counts[i].bad += counts[i - 1].bad;
    }
}

/* Whether the bad rate moves from a to b as it should; exact, in whole numbers. */
static bool
in_order(const struct search *search, struct fine a, struct fine b)
{
    __uint128_t left = (__uint128_t)a.bad * (b.good + b.bad);
    __uint128_t right = (__uint128_t)b.bad * (a.good + a.bad);
    return !search->ordered || (search->direction > 0 ? left < right : left > right);
}

/* The best way to end a bin at `to` that began at `from`, being the count-th. */
struct choice {
    double information; /* of this bin and those before it; -inf when there is no way */
    size_t from_before; /* where the bin before began */
};

struct table {
    struct choice *choices; /* [count][from][to] */
    size_t edge_count;      /* fine_count + 1 */
};

static struct choice *
at(const struct table *table, size_t count, size_t from, size_t to)
{
    return &table->choices[(count * table->edge_count + from) * table->edge_count + to];
}

/* Best choice for a bin [from, to) as the count-th, over all bins that may stand before it. */
static struct choice
choose(const struct search *search, const struct table *table, size_t count, size_t from, size_t to)
{
    struct choice best = {.information = -(double)INFINITY};
    struct fine here = sum(search, from, to);
    if ((double)(here.good + here.bad) < search->rows_min)
        return best;
    double own = information(search, here.good, here.bad);
    if (count == 0) {
        if (from == 0)
            best.information = own;
        return best;
    }
    for (size_t before = 0; before < from; before++) {
        const struct choice *choice = at(table, count - 1, before, from);
        if (choice->information + own > best.information &&
            in_order(search, sum(search, before, from), here))
            best = (struct choice){choice->information + own, before};
    }
    return best;
}

/*
 * The cuts with the largest information value: out_cuts[0..n) are the ends of n bins.
 * out_information is -inf when not even one bin holds enough rows.
 */
static void
find_cuts(const struct search *search, const struct table *table, size_t *out_cuts,
          size_t *out_count, double *out_information)
{
    size_t n = search->fine_count, counts = search->bins_max;
    double best = -(double)INFINITY;
    size_t best_count = 0, best_from = 0;
    for (size_t count = 0; count < counts; count++) {
        for (size_t from = 0; from < n; from++) {
            for (size_t to = from + 1; to <= n; to++)
                *at(table, count, from, to) = choose(search, table, count, from, to);
            double whole = at(table, count, from, n)->information;
            if (whole > best) {
                best = whole;
                best_count = count + 1;
                best_from = from;
            }
        }
    }
    size_t to = n, from = best_from;
    for (size_t bin = best_count; bin > 0; bin--) {
        out_cuts[bin - 1] = to;
        size_t before = at(table, bin - 1, from, to)->from_before;
        to = from;
        from = before;
    }
    *out_count = best_count;
    *out_information = best;
}

/* Both directions when none is asked for. A single bin when nothing else is possible. */
static ax_status
best_cuts(struct ax_ctx *ctx, struct search *search, int direction, size_t *out_cuts,
          size_t *out_count)
{
    double best = -(double)INFINITY;
    size_t cuts[BINS_MAX] = {}, count = 0;
    struct table table = {.edge_count = search->fine_count + 1};
    ax_auto(ax_arena_free) struct ax_arena *scratch = ax_arena_new(SEARCH_BYTES_MAX);
    if (scratch)
        table.choices = AX_NEW_ARRAY(scratch, struct choice,
                                     search->bins_max * table.edge_count * table.edge_count);
    if (!table.choices)
        return no_memory(ctx);
    out_cuts[0] = search->fine_count;
    *out_count = 1;
    for (int way = 1; way >= -1; way -= 2) {
        if ((direction != 0 && way != direction) || (!search->ordered && way < 0))
            continue;
        double found = 0;
        search->direction = way;
        find_cuts(search, &table, cuts, &count, &found);
        if (count > 0 && found > best) {
            best = found;
            memcpy(out_cuts, cuts, count * sizeof *cuts);
            *out_count = count;
        }
    }
    return AX_OK;
}

/* ---- from a column to fine bins ---- */

/* Which of the special values it is; special_count when none. */
static size_t
special_of(const double *specials, size_t special_count, double value)
{
    size_t i = 0;
    while (i < special_count && value != specials[i])
        i++;
    return i;
}

/* The present values in ascending order, and the edges between the fine bins. */
static ax_status
fine_edges(struct ax_ctx *ctx, const struct subject *subject, double *out_edges, size_t *out_count)
{
    const double *values = subject->column->values;
    double *sorted = AX_NEW_ARRAY(ctx->arena, double, subject->row_count + 1);
    if (!sorted)
        return no_memory(ctx);
    size_t count = 0, specials = subject->special_count;
    for (size_t i = 0; i < subject->row_count; i++) {
        if (!isnan(values[i]) && special_of(subject->specials, specials, values[i]) == specials)
            sorted[count++] = values[i];
    }
    ax_stats_sort(sorted, count);
    *out_count = ax_stats_edges(sorted, count, FINE_BINS, out_edges);
    return AX_OK;
}

static size_t
place(const double *edges, size_t edge_count, double value)
{
    size_t bin = 0;
    while (bin < edge_count && value > edges[bin])
        bin++;
    return bin;
}

static void
add(struct fine *fine, bool bad)
{
    fine->bad += bad;
    fine->good += !bad;
}

static void
write_bin(const struct search *search, struct fine total, struct ax_binning_bin *bin,
          struct ax_binning *out)
{
    bin->good = total.good;
    bin->bad = total.bad;
    if (total.good + total.bad == 0)
        return; /* nobody was there: it says nothing either way */
    bin->woe = weight_of_evidence(search, total.good, total.bad);
    out->information_value += information(search, total.good, total.bad);
}

/* The bins of the cuts, those of the special values, then the missing one. */
struct found {
    const size_t *cuts;
    size_t cut_count;
    const double *specials;
    const struct fine *special; /* special_count */
    size_t special_count;
    struct fine missing;
};

static ax_status
write_bins(struct ax_ctx *ctx, const struct search *search, const struct found *found,
           struct ax_binning *out)
{
    bool has_missing = found->missing.good + found->missing.bad > 0;
    out->cut_count = found->cut_count;
    out->bin_count = found->cut_count + found->special_count + has_missing;
    out->bins = AX_NEW_ARRAY(ctx->arena, struct ax_binning_bin, out->bin_count);
    if (!out->bins)
        return no_memory(ctx);
    struct ax_binning_bin *bin = out->bins;
    for (size_t b = 0; b < found->cut_count; b++, bin++) {
        *bin = (struct ax_binning_bin){.low = -(double)INFINITY, .high = (double)INFINITY};
        write_bin(search, sum(search, b == 0 ? 0 : found->cuts[b - 1], found->cuts[b]), bin, out);
    }
    for (size_t i = 0; i < found->special_count; i++, bin++) {
        double value = found->specials[i];
        *bin = (struct ax_binning_bin){.low = value, .high = value, .special = true};
        write_bin(search, found->special[i], bin, out);
    }
    if (has_missing) {
        *bin = (struct ax_binning_bin){.missing = true};
        write_bin(search, found->missing, bin, out);
    }
    return AX_OK;
}

static ax_status
fit_numbers(struct ax_ctx *ctx, const struct subject *subject, struct search *search, int direction,
            struct ax_binning *out)
{
    double edges[FINE_BINS];
    size_t edge_count = 0, cuts[BINS_MAX] = {};
    struct fine fine[FINE_BINS + 2] = {}, special[AX_BINNING_SPECIALS_MAX] = {};
    struct found found = {.cuts = cuts,
                          .specials = subject->specials,
                          .special = special,
                          .special_count = subject->special_count};
    AX_TRY(fine_edges(ctx, subject, edges, &edge_count));
    for (size_t i = 0; i < subject->row_count; i++) {
        double value = subject->column->values[i];
        size_t at = special_of(subject->specials, subject->special_count, value);
        struct fine *where = &found.missing;
        if (at < subject->special_count)
            where = &special[at];
        else if (!isnan(value))
            where = &fine[1 + place(edges, edge_count, value)];
        add(where, subject->labels[i]);
    }
    accumulate(fine, edge_count + 1);
    search->until = fine;
    search->fine_count = edge_count + 1;
    search->ordered = true;
    AX_TRY(best_cuts(ctx, search, direction, cuts, &found.cut_count));
    AX_TRY(write_bins(ctx, search, &found, out));
    for (size_t b = 0; b + 1 < found.cut_count; b++)
        out->bins[b].high = out->bins[b + 1].low = edges[cuts[b] - 1];
    if (found.cut_count > 1)
        out->direction = out->bins[0].woe > out->bins[found.cut_count - 1].woe ? 1 : -1;
    search->until = NULL;
    return AX_OK;
}

/* Groups of categories by bad rate: each common category one, all rare ones together one. */
static ax_status
group_categories(struct ax_ctx *ctx, const struct search *search, const struct fine *by_code,
                 size_t code_count, uint32_t *out_group, size_t *out_count)
{
    double *rates = AX_NEW_ARRAY(ctx->arena, double, code_count + 1);
    if (!rates)
        return no_memory(ctx);
    struct fine rare = {};
    for (size_t code = 0; code < code_count; code++) {
        uint64_t rows = by_code[code].good + by_code[code].bad;
        if ((double)rows < search->rows_min) {
            rare.good += by_code[code].good;
            rare.bad += by_code[code].bad;
        }
    }
    for (size_t code = 0; code < code_count; code++) {
        struct fine here = by_code[code];
        if ((double)(here.good + here.bad) < search->rows_min)
            here = rare;
        double rows = (double)(here.good + here.bad) + 2 * search->smoothing;
        rates[code] = rows > 0 ? ((double)here.bad + search->smoothing) / rows : 0.5;
    }
    uint32_t *order = NULL;
    AX_TRY(ax_stats_order(ctx, rates, code_count, &order));
    size_t groups = 0;
    for (size_t i = 0; i < code_count; i++) {
        bool tie = i > 0 && rates[order[i]] == rates[order[i - 1]];
        groups += i > 0 && !tie;
        out_group[order[i]] = (uint32_t)groups;
    }
    *out_count = code_count ? groups + 1 : 0;
    return AX_OK;
}

static ax_status
fit_categories(struct ax_ctx *ctx, const struct subject *subject, struct search *search,
               struct ax_binning *out)
{
    size_t code_count = subject->column->category_count, group_count = 0, cuts[BINS_MAX] = {};
    struct fine *by_code = AX_NEW_ARRAY(ctx->arena, struct fine, code_count + 1);
    struct fine *fine = AX_NEW_ARRAY(ctx->arena, struct fine, code_count + 2);
    struct found found = {.cuts = cuts};
    out->bin_of_code = AX_NEW_ARRAY(ctx->arena, uint32_t, code_count + 1);
    out->code_count = code_count;
    if (!by_code || !fine || !out->bin_of_code)
        return no_memory(ctx);
    for (size_t i = 0; i < subject->row_count; i++) {
        double value = subject->column->values[i];
        add(isnan(value) ? &found.missing : &by_code[(size_t)value], subject->labels[i]);
    }
    AX_TRY(group_categories(ctx, search, by_code, code_count, out->bin_of_code, &group_count));
    for (size_t code = 0; code < code_count; code++) {
        fine[1 + out->bin_of_code[code]].good += by_code[code].good;
        fine[1 + out->bin_of_code[code]].bad += by_code[code].bad;
    }
    search->fine_count = group_count > 0 ? group_count : 1;
    accumulate(fine, search->fine_count);
    search->until = fine;
    AX_TRY(best_cuts(ctx, search, 0, cuts, &found.cut_count));
    for (size_t code = 0; code < code_count; code++) {
        uint32_t bin = 0;
        while (out->bin_of_code[code] >= cuts[bin])
            bin++;
        out->bin_of_code[code] = bin;
    }
    return write_bins(ctx, search, &found, out);
}

ax_status
ax_binning_fit(struct ax_ctx *ctx, const struct ax_frame_column *column, const uint8_t *labels,
               size_t row_count, const struct ax_binning_config *config,
               struct ax_binning *out_binning)
{
    AX_ASSERT(config->bins_max >= 1 && config->bins_max <= BINS_MAX);
    AX_ASSERT(config->share_min >= 0.01 && config->smoothing > 0); /* so groups are few */
    AX_ASSERT(config->special_count <= AX_BINNING_SPECIALS_MAX);
    struct search search = {.rows_min = config->share_min * (double)row_count,
                            .bins_max = config->bins_max,
                            .smoothing = config->smoothing};
    for (size_t i = 0; i < row_count; i++) {
        search.bad_total += labels[i];
        search.good_total += !labels[i];
    }
    if (search.good_total == 0 || search.bad_total == 0)
        return ax_fail(ctx, AX_INVALID, "of %zu rows %zu are bad; both classes are needed",
                       row_count, (size_t)search.bad_total);
    const struct subject subject = {column, labels, row_count, config->specials,
                                    config->special_count};
    struct ax_binning binning = {};
    if (column->kind == AX_FRAME_NUMBER)
        AX_TRY(fit_numbers(ctx, &subject, &search, config->direction, &binning));
    else
        AX_TRY(fit_categories(ctx, &subject, &search, &binning));
    *out_binning = binning;
    return AX_OK;
}

size_t
ax_binning_find(const struct ax_binning *binning, double value)
{
    const struct ax_binning_bin *bins = binning->bins;
    size_t bin = 0, cuts = binning->cut_count, last = binning->bin_count;
    if (isnan(value))
        return last > cuts && bins[last - 1].missing ? last - 1 : SIZE_MAX;
    if (binning->bin_of_code)
        return value >= 0 && value < (double)binning->code_count
                   ? binning->bin_of_code[(size_t)value]
                   : SIZE_MAX;
    for (size_t i = cuts; i < last; i++) {
        if (bins[i].special && value == bins[i].high)
            return i;
    }
    while (bin + 1 < cuts && value > bins[bin].high)
        bin++;
    return bin;
}
