#include "engine/onnx_explain.h"

#include <math.h>

#include "base/number.h"
#include "engine/onnx_fuse.h"
#include "engine/scratch.h"
#include "engine/shap_kernel.h"

enum { TRIAL_BYTES_MAX = 200 << 20, TRIAL_WORK_MAX = 1 << 27 };

struct ax_onnx_explain {
    struct ax_onnx_program before; /* what becomes of a row before it is summed */
    struct ax_onnx_sum sum;
    const int32_t *feature_of; /* each column that is summed */
    size_t columns;
    size_t target; /* of the first margin */
};

struct onnx_background {
    struct ax_engine_background background;
    struct ax_shap_kernel shap; /* of trees */
    bool wide;                  /* the trees' input is float64 */
    double *means;              /* of a linear model's columns */
};

/* ---- is the response a sum? ---- */

static const struct ax_onnx_node *
maker_of(const struct ax_onnx_program *program, int32_t slot)
{
    for (size_t n = 0; n < program->graph.node_count; n++)
        for (size_t i = 0; i < program->graph.nodes[n].output_count; i++)
            if (program->graph.nodes[n].outputs[i] == slot)
                return &program->graph.nodes[n];
    return NULL;
}

static bool
is_called(const struct ax_onnx_node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* The node that makes the response, behind those that hand it on; NULL, and why, when it is no sum.
 */
static const struct ax_onnx_node *
find_sum(const struct ax_onnx_explain_request *request, struct ax_onnx_sum *out,
         const char **out_why)
{
    int32_t slot = request->program->graph.outputs[request->output];
    const struct ax_onnx_node *node = maker_of(request->program, slot);
    while (node && (is_called(node, "ZipMap") || is_called(node, "Identity"))) {
        slot = node->inputs[0];
        node = maker_of(request->program, slot);
    }
    *out_why = node ? node->op->name : "nothing but the input";
    if (!node || !(ax_onnx_sum_of_trees(node, out) || ax_onnx_sum_of_products(node, out)))
        return NULL;
    return out->output < node->output_count && node->outputs[out->output] == slot ? node : NULL;
}

/* Why the kernels do not explain these trees; NULL: they do. */
static const char *
check_trees(const struct ax_onnx_trees *trees)
{
    const struct ax_onnx_ensemble *ensemble =
        trees->narrow.forest.tree_count ? &trees->narrow : &trees->wide;
    if (trees->aggregate == AX_ONNX_MIN || trees->aggregate == AX_ONNX_MAX)
        return "its trees are not added up";
    if (ensemble->members || (trees->partial && trees->base))
        return "its trees ask for members of sets, or have base values that not every row gets";
    return ax_shap_fits(&ensemble->forest) ? NULL : "a path in its trees has too many splits";
}

/* Is each margin one of the sums? *out_target: which the first of them is. */
static const char *
check_sum(const struct ax_onnx_explain_request *request, const struct ax_onnx_sum *sum,
          size_t *out_target)
{
    const char *why = sum->trees ? check_trees(sum->trees) : NULL;
    *out_target = sum->pair ? 0 : request->first;
    if (why)
        return why;
    if (request->odds)
        return sum->pair && sum->mirrored && sum->post == AX_ONNX_POST_LOGISTIC
                   ? NULL
                   : "its sums are probabilities, whose log-odds (the margin) are no sum";
    if (sum->post != AX_ONNX_POST_NONE)
        return "what its post_transform makes of the sums is no sum";
    if (sum->pair ? request->width != 1 : sum->targets != request->all_columns)
        return "its response is more than its sums";
    return NULL;
}

/* ---- which column is which feature's ---- */

/* For each slot of a run of one row: the feature of each element; NULL: mixed, or not known. */
struct mapping {
    struct ax_ctx *ctx;
    const struct ax_onnx_program *program;
    const struct ax_onnx_value **values; /* of the run */
    const int32_t **features;
};

static bool
is_one_of(const struct ax_onnx_node *node, const char *const *names)
{
    for (; *names; names++)
        if (is_called(node, *names))
            return true;
    return false;
}

static size_t
count_of(const struct mapping *mapping, int32_t slot)
{
    return slot >= 0 && mapping->values[slot] ? mapping->values[slot]->tensor.count : 0;
}

/* One input and constants beside it: the slot of that input; NO_SLOT when there are more. */
static int32_t
only_variable(const struct mapping *mapping, const struct ax_onnx_node *node)
{
    int32_t found = AX_ONNX_NO_SLOT;
    for (size_t i = 0; i < node->input_count; i++) {
        int32_t slot = node->inputs[i];
        if (slot < 0 || mapping->program->constants[slot])
            continue;
        if (found >= 0)
            return AX_ONNX_NO_SLOT;
        found = slot;
    }
    return found;
}

/* Element i of the result is made of element i / times of one input alone. */
static ax_status
map_alike(struct mapping *mapping, const struct ax_onnx_node *node, bool spreads)
{
    int32_t from = only_variable(mapping, node);
    size_t count = count_of(mapping, node->outputs[0]),
           had = from < 0 ? 0 : count_of(mapping, from);
    if (from < 0 || !mapping->features[from] || had == 0 || count % had ||
        (count != had && !spreads))
        return AX_OK;
    int32_t *features = AX_NEW_ARRAY(mapping->ctx->arena, int32_t, count);
    if (!features)
        return ax_fail(mapping->ctx, AX_LIMIT, "no memory for %zu columns", count);
    for (size_t i = 0; i < count; i++)
        features[i] = mapping->features[from][i / (count / had)];
    mapping->features[node->outputs[0]] = features;
    return AX_OK;
}

/* Of one row, put together along an axis before which there is nothing else: one after the other.
 */
static ax_status
map_concat(struct mapping *mapping, const struct ax_onnx_node *node)
{
    const struct ax_tensor *first = &mapping->values[node->inputs[0]]->tensor;
    int64_t axis = ax_onnx_attribute_i64(node, "axis", 1);
    size_t count = count_of(mapping, node->outputs[0]), at = 0;
    int32_t *features = AX_NEW_ARRAY(mapping->ctx->arena, int32_t, count + 1);
    if (!features)
        return ax_fail(mapping->ctx, AX_LIMIT, "no memory for %zu columns", count);
    axis = axis < 0 ? axis + (int64_t)first->dim_count : axis;
    if (axis < 1 || ax_onnx_shape_product(first, 0, (size_t)axis) != 1)
        return AX_OK;
    for (size_t i = 0; i < node->input_count; i++) {
        size_t part = count_of(mapping, node->inputs[i]);
        if (!mapping->features[node->inputs[i]] || part > count - at)
            return AX_OK;
        memcpy(features + at, mapping->features[node->inputs[i]], part * sizeof *features);
        at += part;
    }
    mapping->features[node->outputs[0]] = features;
    return AX_OK;
}

static ax_status
map_node(struct mapping *mapping, const struct ax_onnx_node *node)
{
    static const char *const alike[] = {
        "Identity", "Cast",    "Scaler",    "Imputer", "Binarizer", "LabelEncoder", "Reshape",
        "Flatten",  "Squeeze", "Unsqueeze", "Add",     "Sub",       "Mul",          "Div",
        "Log",      "Sqrt",    "Neg",       "Abs",     "Clip",      "Exp",          NULL};
    if (node->outputs[0] < 0 || !mapping->values[node->outputs[0]])
        return AX_OK;
    if (is_called(node, "Concat"))
        return map_concat(mapping, node);
    if (is_called(node, "OneHotEncoder"))
        return map_alike(mapping, node, true);
    return is_one_of(node, alike) ? map_alike(mapping, node, false) : AX_OK;
}

static ax_status
map_inputs(struct mapping *mapping)
{
    int32_t feature = 0;
    for (size_t i = 0; i < mapping->program->graph.input_count; i++) {
        int32_t slot = mapping->program->graph.inputs[i];
        size_t count = count_of(mapping, slot);
        int32_t *features = AX_NEW_ARRAY(mapping->ctx->arena, int32_t, count + 1);
        if (!features)
            return ax_fail(mapping->ctx, AX_LIMIT, "no memory for %zu columns", count);
        for (size_t c = 0; c < count; c++)
            features[c] = feature++;
        mapping->features[slot] = features;
    }
    return AX_OK;
}

/* Runs one made-up row, so that every value has its size. */
static ax_status
run_made_up(struct ax_ctx *ctx, const struct ax_onnx_engine *engine,
            const struct ax_onnx_program *program, struct ax_onnx_run *run)
{
    const struct ax_engine_graph *ports = &engine->ports;
    struct ax_onnx_value *inputs =
        AX_NEW_ARRAY(ctx->arena, struct ax_onnx_value, ports->input_count);
    const struct ax_onnx_value **outputs =
        AX_NEW_ARRAY(ctx->arena, const struct ax_onnx_value *, program->graph.output_count);
    if (!inputs || !outputs)
        return ax_fail(ctx, AX_LIMIT, "no memory for a trial");
    for (size_t i = 0; i < ports->input_count; i++)
        AX_TRY(ax_onnx_make_up(ctx, &ports->inputs[i], 1, &inputs[i]));
    return ax_onnx_run(program, run, inputs, outputs);
}

/* out_columns: in `arena`; NULL when some column is of no feature alone. */
static ax_status
map_columns(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_engine *engine,
            const struct ax_onnx_program *program, int32_t slot, struct ax_onnx_explain *out)
{
    struct ax_onnx_run run = {
        .ctx = ctx, .memory = {.arena = ctx->arena, .work_left = TRIAL_WORK_MAX}, .trial = true};
    struct mapping mapping = {.ctx = ctx, .program = program};
    mapping.features = AX_NEW_ARRAY(ctx->arena, const int32_t *, program->slot_count);
    if (!mapping.features)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu values", program->slot_count);
    AX_TRY(run_made_up(ctx, engine, program, &run));
    mapping.values = run.slots;
    AX_TRY(map_inputs(&mapping));
    for (size_t n = 0; n < program->graph.node_count; n++)
        AX_TRY(map_node(&mapping, &program->graph.nodes[n]));
    out->columns = count_of(&mapping, slot);
    if (!mapping.features[slot] || out->columns == 0)
        return AX_OK;
    int32_t *features = AX_NEW_ARRAY(arena, int32_t, out->columns);
    if (!features)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", out->columns);
    memcpy(features, mapping.features[slot], out->columns * sizeof *features);
    out->feature_of = features;
    return AX_OK;
}

/* Does some feature have several columns? */
static bool
has_shared(const struct ax_onnx_explain *explain)
{
    for (size_t i = 0; i < explain->columns; i++)
        for (size_t j = 0; j < i; j++)
            if (explain->feature_of[i] == explain->feature_of[j])
                return true;
    return false;
}

/* ---- preparing ---- */

static ax_status
refuse(struct ax_onnx_engine *engine, struct ax_ctx *ctx, const char *why)
{
    return ax_engine_note(&engine->engine, ctx, "no contributions: %s", why);
}

static ax_status
map_in_trial(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_engine *engine,
             const struct ax_onnx_program *program, int32_t slot, struct ax_onnx_explain *out)
{
    ax_auto(ax_arena_free) struct ax_arena *trial = ax_arena_new(TRIAL_BYTES_MAX);
    struct ax_arena *outer = ctx->arena;
    if (!trial)
        return ax_fail(ctx, AX_LIMIT, "no memory for a trial");
    ctx->arena = trial;
    ax_status status = map_columns(ctx, arena, engine, program, slot, out);
    ctx->arena = outer;
    return status;
}

ax_status
ax_onnx_explain_prepare(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_engine *engine,
                        const struct ax_onnx_explain_request *request, struct ax_onnx_explain **out)
{
    struct ax_onnx_explain *explain = AX_NEW(arena, struct ax_onnx_explain);
    const char *why;
    *out = NULL;
    if (!explain)
        return ax_fail(ctx, AX_LIMIT, "no memory for explanations");
    const struct ax_onnx_node *node = find_sum(request, &explain->sum, &why);
    if (!node)
        return ax_engine_note(&engine->engine, ctx,
                              "no contributions: the response is made by %s, which is no sum", why);
    why = check_sum(request, &explain->sum, &explain->target);
    if (why)
        return refuse(engine, ctx, why);
    AX_TRY(map_in_trial(ctx, arena, engine, request->program, node->inputs[0], explain));
    if (!explain->feature_of)
        return refuse(engine, ctx, "features are mixed before they are summed");
    if (explain->sum.trees ? explain->sum.trees->feature_count > explain->columns
                           : explain->sum.features != explain->columns)
        return refuse(engine, ctx, "its rows are wider than the sum");
    if (explain->sum.trees && has_shared(explain))
        return refuse(engine, ctx, "its trees split on several columns of one feature");
    AX_TRY(ax_onnx_fuse_prune(ctx, arena, request->program, node->inputs[0], &explain->before));
    engine->engine.signature.background = true;
    *out = explain;
    return AX_OK;
}

/* ---- rows before they are summed ---- */

/* What rows are before they are summed: `columns` numbers each. */
struct columns {
    double *at;
    bool wide; /* they were float64 */
};

static ax_status
take_columns(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
             const struct ax_onnx_table_part *part, void *scratch, struct columns *out)
{
    const struct ax_onnx_explain *explain = ax_onnx_table_explain(engine);
    const struct ax_onnx_value *value;
    AX_TRY(ax_onnx_table_run(engine, ctx, &explain->before, part, scratch, &value));
    const struct ax_tensor *tensor = &value->tensor;
    if (tensor->count != part->count * explain->columns || tensor->type == AX_TENSOR_BYTES)
        return ax_fail(ctx, AX_INVALID, "the graph makes %zu numbers of %zu rows", tensor->count,
                       part->count);
    out->wide = tensor->type == AX_TENSOR_FP64;
    for (size_t i = 0; i < tensor->count; i++)
        out->at[i] = out->wide ? ax_tensor_f64(tensor, i) : (double)ax_tensor_f32(tensor, i);
    return AX_OK;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- reference populations ---- */

/* All rows of a population. */
static ax_status
take_population(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                const struct ax_engine_rows *rows, struct ax_arena *arena, struct columns *out)
{
    const struct ax_onnx_explain *explain = ax_onnx_table_explain(engine);
    size_t cells, block = smaller(ax_onnx_table_block_rows(engine), AX_SHAP_BLOCK);
    double *values =
        ax_mul(rows->count, explain->columns, &cells) ? AX_NEW_ARRAY(arena, double, cells) : NULL;
    void *scratch = ax_arena_alloc(arena, 1, ax_onnx_table_scratch_bytes(engine) + 1);
    struct ax_onnx_table_part part = {.rows = rows};
    if (!values || !scratch)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu rows of %zu", rows->count,
                       explain->columns);
    for (; part.from < rows->count; part.from += part.count) {
        part.count = smaller(rows->count - part.from, block);
        out->at = values + part.from * explain->columns;
        AX_TRY(take_columns(engine, ctx, &part, scratch, out));
    }
    out->at = values;
    return AX_OK;
}

static const struct ax_forest *
forest_of(const struct ax_onnx_explain *explain, bool wide)
{
    return &(wide ? &explain->sum.trees->wide : &explain->sum.trees->narrow)->forest;
}

/* The columns that trees look at, side by side, in place of all of them. */
static void
drop_columns(double *values, size_t count, size_t columns, size_t kept)
{
    for (size_t i = 0; i < count && kept < columns; i++)
        memmove(values + i * kept, values + i * columns, kept * sizeof *values);
}

static ax_status
set_means(const struct ax_onnx_engine *engine, struct ax_ctx *ctx, const double *values,
          size_t count, struct onnx_background *background)
{
    const struct ax_onnx_explain *explain = ax_onnx_table_explain(engine);
    for (size_t i = 0; i < count * explain->columns; i++) {
        size_t column = i % explain->columns;
        if (!isfinite(values[i])) {
            size_t feature = (size_t)explain->feature_of[column];
            return ax_fail(ctx, AX_INVALID, "row %zu: `%.*s` is missing or infinite",
                           i / explain->columns,
                           AX_FMT(engine->engine.signature.features[feature].name));
        }
        background->means[column] += values[i];
    }
    for (size_t c = 0; c < explain->columns; c++)
        background->means[c] /= (double)count;
    return AX_OK;
}

ax_status
ax_onnx_explain_background(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                           const struct ax_engine_rows *rows, struct ax_arena *arena,
                           struct ax_engine_background **out_background)
{
    const struct ax_onnx_explain *explain = ax_onnx_table_explain(engine);
    struct onnx_background *background = AX_NEW(arena, struct onnx_background);
    struct columns people = {};
    if (!background)
        return ax_fail(ctx, AX_LIMIT, "no memory for a reference population");
    *out_background = &background->background;
    AX_TRY(take_population(engine, ctx, rows, arena, &people));
    background->wide = people.wide;
    if (!explain->sum.trees) {
        background->means = AX_NEW_ARRAY(arena, double, explain->columns);
        return background->means ? set_means(engine, ctx, people.at, rows->count, background)
                                 : ax_fail(ctx, AX_LIMIT, "no memory for means");
    }
    const struct ax_forest *forest = forest_of(explain, background->wide);
    drop_columns(people.at, rows->count, explain->columns, forest->feature_count);
    const struct ax_shap_kernel_config config = {.level = engine->program.level->level,
                                                 .population = {people.at, rows->count}};
    return ax_shap_kernel_prepare(forest, ctx, &config, arena, &background->shap);
}

/* ---- contributions ---- */

size_t
ax_onnx_explain_scratch_bytes(const struct ax_onnx_engine *engine,
                              const struct ax_engine_background *base)
{
    const struct ax_onnx_explain *explain = ax_onnx_table_explain(engine);
    const struct onnx_background *background = (const struct onnx_background *)base;
    size_t bytes = ax_scratch_bytes(sizeof(double), AX_SHAP_BLOCK * explain->columns) +
                   ax_scratch_bytes(1, ax_onnx_table_scratch_bytes(engine));
    if (!explain->sum.trees)
        return bytes;
    const struct ax_forest *forest = forest_of(explain, background->wide);
    return bytes +
           ax_scratch_bytes(sizeof(double),
                            AX_SHAP_BLOCK * forest->output_count * (forest->feature_count + 1)) +
           ax_shap_kernel_scratch_bytes(&background->shap);
}

/* A block of rows being explained. */
struct explaining {
    const struct ax_onnx_explain *explain;
    const struct onnx_background *background;
    size_t features, margins; /* of the table */
    double *values;           /* rows of columns */
    size_t count;
    double *found; /* of trees: [row][target][column + 1] */
};

static void
explain_products(const struct explaining *work, double *out)
{
    const struct ax_onnx_sum *sum = &work->explain->sum;
    const double *means = work->background->means;
    size_t columns = work->explain->columns, width = work->features + 1;
    memset(out, 0, work->count * work->margins * width * sizeof *out);
    for (size_t r = 0; r < work->count; r++)
        for (size_t k = 0; k < work->margins; k++, out += width) {
            size_t target = work->explain->target + k;
            const float *weights = sum->coefficients + target * columns;
            out[work->features] = sum->intercepts ? (double)sum->intercepts[target] : 0;
            for (size_t c = 0; c < columns; c++) {
                double weight = (double)weights[c];
                out[work->explain->feature_of[c]] +=
                    weight * (work->values[r * columns + c] - means[c]);
                out[work->features] += weight * means[c];
            }
        }
}

static void
explain_trees(const struct explaining *work, void *scratch, double *out)
{
    const struct ax_onnx_trees *trees = work->explain->sum.trees;
    const struct ax_forest *forest = work->background->shap.forest;
    size_t columns = forest->feature_count, width = work->features + 1;
    double scale = trees->aggregate == AX_ONNX_AVERAGE ? (double)forest->tree_count : 1;
    drop_columns(work->values, work->count, work->explain->columns, columns);
    ax_shap_kernel_rows(&work->background->shap, work->values, work->count, scratch, work->found);
    memset(out, 0, work->count * work->margins * width * sizeof *out);
    for (size_t r = 0; r < work->count; r++)
        for (size_t k = 0; k < work->margins; k++, out += width) {
            size_t target = work->explain->target + k;
            const double *from = work->found + (r * forest->output_count + target) * (columns + 1);
            for (size_t c = 0; c < columns; c++)
                out[work->explain->feature_of[c]] = from[c] / scale;
            out[work->features] = from[columns] / scale + (trees->base ? trees->base[target] : 0);
        }
}

ax_status
ax_onnx_explain_score(const struct ax_onnx_engine *engine, struct ax_ctx *ctx,
                      const struct ax_engine_call *call, void *scratch, double *out)
{
    const struct ax_engine_signature *signature = &engine->engine.signature;
    const struct ax_onnx_explain *explain = ax_onnx_table_explain(engine);
    struct explaining work = {.explain = explain,
                              .background = (const struct onnx_background *)call->background,
                              .features = signature->feature_count,
                              .margins = signature->margin_count};
    size_t block = smaller(ax_onnx_table_block_rows(engine), AX_SHAP_BLOCK);
    void *run = ax_scratch_take(&scratch, 1, ax_onnx_table_scratch_bytes(engine));
    work.values = ax_scratch_take(&scratch, sizeof(double), AX_SHAP_BLOCK * explain->columns);
    if (explain->sum.trees) {
        const struct ax_forest *forest = work.background->shap.forest;
        work.found =
            ax_scratch_take(&scratch, sizeof(double),
                            AX_SHAP_BLOCK * forest->output_count * (forest->feature_count + 1));
    }
    struct ax_onnx_table_part part = {.rows = &call->rows};
    for (; part.from < call->rows.count; part.from += part.count) {
        double *at = out + part.from * work.margins * (work.features + 1);
        struct columns columns = {.at = work.values};
        part.count = work.count = smaller(call->rows.count - part.from, block);
        AX_TRY(take_columns(engine, ctx, &part, run, &columns));
        if (explain->sum.trees)
            explain_trees(&work, scratch, at);
        else
            explain_products(&work, at);
    }
    return AX_OK;
}
