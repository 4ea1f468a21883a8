#include "mlops/registered_bundle.h"

#include "base/number.h"
#include "mlops/mlmodel.h"
#include "serving/model_loader.h"

#define ARENA_BYTES_MAX ((size_t)4 << 30)

enum { FILE_BYTES_MAX = 256 << 20, EXAMPLE_BYTES_MAX = 4 << 20, EXAMPLE_ROWS_MAX = 100 };

/* What is worked on; everything in ctx->arena, which is given back at the end. */
struct work {
    struct ax_ctx *ctx;
    struct ax_artifacts *artifacts;
    const struct ax_registered_bundle_of *of;
    struct ax_mlmodel mlmodel;
    ax_str folder; /* of the file that is taken */
    struct ax_bundle_parts parts;
    struct ax_signature *signature;
};

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a logged model");
}

/* What is wrong with the files, and not with this machine. */
static bool
is_theirs(ax_status status)
{
    return status == AX_INVALID || status == AX_NOT_FOUND || status == AX_UNSUPPORTED ||
           status == AX_CORRUPT;
}

static ax_status
read_file(struct work *work, ax_str folder, ax_str path, uint64_t bytes_max, ax_str *out)
{
    struct ax_artifacts_place place;
    uint64_t bytes;
    struct ax_ctx *ctx = work->ctx;
    AX_TRY(ax_artifacts_find(work->artifacts, ctx, folder, path, &place));
    AX_TRY(ax_artifacts_size(work->artifacts, ctx, &place, &bytes));
    if (bytes > bytes_max)
        return ax_fail(ctx, AX_UNSUPPORTED, "%.*s has %llu bytes, more than the %llu that are read",
                       AX_FMT(path), (unsigned long long)bytes, (unsigned long long)bytes_max);
    ax_writer_auto struct ax_writer text = ax_writer_of(bytes + 1);
    ax_status status = ax_artifacts_read(work->artifacts, ctx, &place, 0, bytes, &text);
    if (text.status != AX_OK) /* which reading takes for a wish that is too large */
        return no_memory(ctx);
    AX_TRY(status);
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

static ax_status
read_mlmodel(struct work *work, ax_str folder, struct ax_mlmodel *out)
{
    ax_str text;
    AX_TRY(read_file(work, folder, AX_STR("MLmodel"), AX_MLMODEL_BYTES_MAX, &text));
    return ax_mlmodel_parse(work->ctx, text, out);
}

/* The ONNX form that was logged beside, as it is: what it answers is what the model answers. */
static ax_status
take_sibling(struct work *work)
{
    struct ax_mlmodel sibling;
    AX_TRY(read_mlmodel(work, work->of->sibling, &sibling));
    if (!ax_str_eq(sibling.flavor, AX_STR("onnx")) || sibling.data.len == 0)
        return ax_fail(work->ctx, AX_UNSUPPORTED, "what is logged beside it is no ONNX model");
    work->folder = work->of->sibling;
    work->mlmodel.flavor = AX_STR("onnx");
    work->mlmodel.data = sibling.data;
    return AX_OK;
}

static ax_status
find_file(struct work *work)
{
    struct ax_ctx *ctx = work->ctx;
    work->folder = work->of->location;
    AX_TRY(read_mlmodel(work, work->of->location, &work->mlmodel));
    if (work->mlmodel.data.len)
        return AX_OK;
    ax_status status = work->of->sibling.len ? take_sibling(work) : AX_NOT_FOUND;
    if (!is_theirs(status))
        return status;
    return ax_fail(ctx, AX_UNSUPPORTED, "flavor %.*s: %.*s", AX_FMT(work->mlmodel.flavor),
                   AX_FMT(work->mlmodel.hint));
}

/* Names of the logged signature, where the file has none of its own. */
static ax_status
name_features(struct work *work)
{
    struct ax_ctx *ctx = work->ctx;
    struct ax_signature *signature = work->signature, *named;
    struct ax_engine *engine;
    const struct ax_mlmodel *mlmodel = &work->mlmodel;
    if (mlmodel->column_count == 0 || mlmodel->column_count != signature->feature_count)
        return AX_OK;
    AX_TRY(ax_engine_open(ctx, work->parts.files[AX_BUNDLE_MODEL], NULL, &engine));
    bool has_names = ax_engine_signature(engine)->named;
    ax_engine_close(engine);
    if (has_names)
        return AX_OK;
    AX_TRY(ax_signature_of_names(ctx, mlmodel->columns, mlmodel->column_count, &named));
    for (size_t i = 0; i < named->feature_count; i++) {
        ax_str name = named->features[i].name;
        named->features[i] = signature->features[i];
        named->features[i].name = name;
    }
    work->parts.signature = work->signature = named;
    return AX_OK;
}

static ax_status
write_lineage(struct work *work)
{
    const struct ax_registered_bundle_of *of = work->of;
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "training_run", of->run_id);
    ax_json_member_text(&json, "logged_model", of->logged_model_id);
    ax_json_member_text(&json, "source", of->source);
    ax_json_member_text(&json, "flavor", work->mlmodel.flavor);
    ax_json_member_text(&json, "mlflow", work->mlmodel.version);
    ax_json_end_object(&json);
    return ax_writer_take(&text, work->ctx->arena, &work->parts.lineage) == AX_OK
               ? AX_OK
               : no_memory(work->ctx);
}

/* ---- the input example as a self-test ---- */

/* One row of {"columns":[..],"data":[[..]]} in the signature's order; false when it is no row. */
static bool
encode_row(struct ax_ctx *ctx, const struct ax_signature *signature, const struct ax_json *columns,
           const struct ax_json *data, double *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(EXAMPLE_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    struct ax_json_iter names = ax_json_iter_of(columns), cells = ax_json_iter_of(data);
    const struct ax_json *row;
    ax_json_begin_object(&json);
    while (ax_json_next(&names) && ax_json_next(&cells)) {
        ax_str name;
        if (!ax_json_text(names.value, &name))
            return false;
        ax_json_key_str(&json, name);
        ax_json_put(&json, cells.value);
    }
    ax_json_end_object(&json);
    return text.status == AX_OK && ax_json_parse(ctx, ax_writer_str(&text), NULL, &row) == AX_OK &&
           ax_signature_encode(ctx, signature, row, out) == AX_OK;
}

static bool
plain_names(const struct ax_signature *signature)
{
    for (size_t i = 0; i < signature->feature_count; i++)
        for (size_t c = 0; c < signature->names[i].len; c++)
            if (strchr(",\"\r\n", signature->names[i].at[c]))
                return false;
    return true;
}

struct example {
    size_t row_count, width;
    double *cells, *margin, *response;
};

static ax_status
score_example(struct ax_ctx *ctx, const struct ax_loaded_model *model, struct example *example)
{
    unsigned outputs = AX_ENGINE_MARGIN | AX_ENGINE_RESPONSE;
    example->margin = AX_NEW_ARRAY(ctx->arena, double, example->row_count);
    example->response = AX_NEW_ARRAY(ctx->arena, double, example->row_count);
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(model->engine, outputs, NULL) + 1);
    if (!example->margin || !example->response || !scratch)
        return no_memory(ctx);
    const struct ax_engine_call call = {
        .rows = {.at = example->cells, .count = example->row_count, .type = AX_ENGINE_F64},
        .outputs = outputs,
    };
    const struct ax_engine_answer answer = {.margin = example->margin,
                                            .response = example->response};
    return ax_engine_score(model->engine, ctx, &call, scratch, &answer);
}

static void
put_number(struct ax_writer *text, double value)
{
    char digits[AX_NUMBER_BYTES_MAX];
    if (value == value) /* a cell of nothing is a missing value */
        ax_writer_bytes(text, (ax_str){digits, ax_format_f64(value, digits)});
}

static ax_status
write_example(struct work *work, const struct example *example)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(EXAMPLE_BYTES_MAX);
    const struct ax_signature *signature = work->signature;
    for (size_t i = 0; i < signature->feature_count; i++) {
        ax_writer_bytes(&text, signature->names[i]);
        ax_writer_char(&text, ',');
    }
    ax_writer_text(&text, "margin,response\n");
    for (size_t r = 0; r < example->row_count; r++) {
        for (size_t i = 0; i < example->width; i++) {
            put_number(&text, example->cells[r * example->width + i]);
            ax_writer_char(&text, ',');
        }
        put_number(&text, example->margin[r]);
        ax_writer_char(&text, ',');
        put_number(&text, example->response[r]);
        ax_writer_char(&text, '\n');
    }
    return ax_writer_take(&text, work->ctx->arena, &work->parts.files[AX_BUNDLE_SELF_TEST]);
}

/* Rows of the example that can be encoded; none of a model that has more than one output. */
static ax_status
take_example(struct work *work, const struct ax_loaded_model *model)
{
    struct ax_ctx *ctx = work->ctx;
    const struct ax_engine_signature *engine = ax_engine_signature(model->engine);
    const struct ax_json *json;
    ax_str text;
    if (work->mlmodel.example.len == 0 || engine->margin_count != 1 ||
        engine->response_count != 1 || !plain_names(work->signature))
        return AX_OK;
    AX_TRY(read_file(work, work->of->location, work->mlmodel.example, EXAMPLE_BYTES_MAX, &text));
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    const struct ax_json *split = ax_json_find(json, "dataframe_split");
    struct ax_json_iter rows = ax_json_iter_of(ax_json_find(split, "data"));
    struct example example = {.width = work->signature->feature_count};
    example.cells = AX_NEW_ARRAY(ctx->arena, double, EXAMPLE_ROWS_MAX *example.width + 1);
    if (!example.cells)
        return no_memory(ctx);
    while (example.row_count < EXAMPLE_ROWS_MAX && ax_json_next(&rows))
        if (encode_row(ctx, work->signature, ax_json_find(split, "columns"), rows.value,
                       example.cells + example.row_count * example.width))
            example.row_count++;
    if (example.row_count == 0)
        return AX_OK;
    AX_TRY(score_example(ctx, model, &example));
    return write_example(work, &example);
}

/* ---- making ---- */

static ax_status
build(struct work *work, struct ax_bundle *out_bundle)
{
    struct ax_ctx *ctx = work->ctx;
    ax_auto(ax_model_unref) struct ax_loaded_model *model = NULL;
    struct ax_signature *signature;
    ax_str bytes;
    AX_TRY(find_file(work));
    AX_TRY(read_file(work, work->folder, work->mlmodel.data, FILE_BYTES_MAX, &bytes));
    AX_TRY(ax_bundle_describe(ctx, bytes, &work->parts, &signature));
    work->signature = signature;
    AX_TRY(name_features(work));
    work->signature->answer = ax_str_of(ax_mlmodel_answer_name(work->mlmodel.answer));
    AX_TRY(write_lineage(work));
    AX_TRY(ax_bundle_make(ctx, &work->parts, out_bundle));
    AX_TRY(ax_model_load(ctx, work->of->model, 0, true, out_bundle, &model));
    ax_status status = take_example(work, model);
    if (!is_theirs(status)) /* an example that is none of a row is not needed */
        AX_TRY(status);
    return ax_bundle_make(ctx, &work->parts, out_bundle);
}

/* What outlives the working memory. */
static ax_status
hand_over(struct ax_ctx *ctx, const struct ax_bundle *made, struct ax_bundle *out)
{
    struct ax_bundle bundle = {.digest = made->digest};
    bool kept = ax_str_copy(ctx->arena, made->manifest, &bundle.manifest) &&
                ax_str_copy(ctx->arena, made->format, &bundle.format);
    *out = bundle;
    return kept ? AX_OK : no_memory(ctx);
}

ax_status
ax_registered_bundle_make(struct ax_registry *registry, struct ax_artifacts *artifacts,
                          struct ax_ctx *ctx, const struct ax_registered_bundle_of *of,
                          struct ax_bundle *out_bundle, ax_str *out_hint)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    if (!arena)
        return no_memory(ctx);
    struct ax_ctx inside = *ctx;
    inside.arena = arena;
    struct work work = {.ctx = &inside, .artifacts = artifacts, .of = of};
    struct ax_bundle bundle = {};
    ax_status status = build(&work, &bundle);
    if (status == AX_OK)
        status = ax_registry_keep(registry, &inside, of->model, &bundle);
    *out_hint = AX_STR("");
    if (is_theirs(status))
        return ax_str_copy(ctx->arena, ax_str_of(inside.error), out_hint) ? AX_OK : no_memory(ctx);
    if (status != AX_OK)
        return ax_fail(ctx, status, "%s", inside.error);
    return hand_over(ctx, &bundle, out_bundle);
}
