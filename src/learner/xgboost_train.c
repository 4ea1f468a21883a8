#include "learner/xgboost_train.h"

#include <dlfcn.h>
#include <math.h>
#include <xgboost/c_api.h>

#include "base/number.h"
#include "learner/parameters.h"

enum { ROWS_MAX = 100'000'000 };

struct config {
    int64_t rounds, max_depth, max_bin, max_cat_to_onehot, early_stopping;
    double learning_rate, min_child_weight, subsample, colsample, lambda, alpha, gamma;
};

#define FIELD(name) offsetof(struct config, name)
static const struct ax_parameter rows[] = {
    {"rounds", AX_PARAMETER_COUNT, FIELD(rounds), 200, 1, 100'000},
    {"max_depth", AX_PARAMETER_COUNT, FIELD(max_depth), 3, 1, 32},
    {"learning_rate", AX_PARAMETER_NUMBER, FIELD(learning_rate), 0.08, 1e-6, 1},
    {"min_child_weight", AX_PARAMETER_NUMBER, FIELD(min_child_weight), 5, 0, 1e9},
    {"subsample", AX_PARAMETER_NUMBER, FIELD(subsample), 0.8, 0.01, 1},
    {"colsample", AX_PARAMETER_NUMBER, FIELD(colsample), 0.8, 0.01, 1},
    {"lambda", AX_PARAMETER_NUMBER, FIELD(lambda), 1, 0, 1e9},
    {"alpha", AX_PARAMETER_NUMBER, FIELD(alpha), 0, 0, 1e9},
    {"gamma", AX_PARAMETER_NUMBER, FIELD(gamma), 0, 0, 1e9},
    {"max_bin", AX_PARAMETER_COUNT, FIELD(max_bin), 64, 2, 4096},
    {"max_cat_to_onehot", AX_PARAMETER_COUNT, FIELD(max_cat_to_onehot), 4, 1, 65'536},
    {"early_stopping", AX_PARAMETER_COUNT, FIELD(early_stopping), 25, 0, 100'000},
};
static const struct ax_parameters parameters = {rows, AX_COUNT_OF(rows), true, false};

/* ---- the library, opened when it is first needed ---- */

#define XGBOOST_MAP(X)                                                                             \
    X(XGBGetLastError)                                                                             \
    X(XGBoostVersion)                                                                              \
    X(XGDMatrixCreateFromMat)                                                                      \
    X(XGDMatrixSetFloatInfo)                                                                       \
    X(XGDMatrixSetStrFeatureInfo)                                                                  \
    X(XGDMatrixFree)                                                                               \
    X(XGBoosterCreate)                                                                             \
    X(XGBoosterSetParam)                                                                           \
    X(XGBoosterSetStrFeatureInfo)                                                                  \
    X(XGBoosterUpdateOneIter)                                                                      \
    X(XGBoosterEvalOneIter)                                                                        \
    X(XGBoosterPredictFromDMatrix)                                                                 \
    X(XGBoosterSlice)                                                                              \
    X(XGBoosterSaveModelToBuffer)                                                                  \
    X(XGBoosterFree)

struct library {
    void *handle;
#define X(name) __typeof__(name) *name;
    XGBOOST_MAP(X)
#undef X
};

/* Debian 12's name, then what libxgboost-dev links to on any. */
static const char *const library_names[] = {"libxgboost.so.0", "libxgboost.so"};

static ax_status
open_library(struct ax_ctx *ctx, struct library *library)
{
    const char *why = NULL; /* of the first name: the second is only there for developers */
    for (size_t i = 0; i < AX_COUNT_OF(library_names) && !library->handle; i++) {
        library->handle = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
        why = why ? why : dlerror();
    }
    if (!library->handle)
        return ax_fail(ctx, AX_UNAVAILABLE,
                       "libxgboost cannot be opened (package libxgboost-dev has it): %s",
                       why ? why : "no reason given");
#define X(name)                                                                                    \
    library->name = (__typeof__(name) *)dlsym(library->handle, #name);                             \
    if (!library->name)                                                                            \
        return ax_fail(ctx, AX_UNAVAILABLE, "libxgboost has no " #name);
    XGBOOST_MAP(X)
#undef X
    return AX_OK;
}

/* One training: the library and what it has given us. */
struct session {
    struct library library; /* never closed: OpenMP's threads would be left without their code */
    struct config config;
    DMatrixHandle train, validation, probe;
    BoosterHandle booster;
    const char **names, **types; /* of the columns */
    size_t column_count;
};

static void
close_session(struct session *session)
{
    if (session->booster)
        session->library.XGBoosterFree(session->booster);
    if (session->probe)
        session->library.XGDMatrixFree(session->probe);
    if (session->validation)
        session->library.XGDMatrixFree(session->validation);
    if (session->train)
        session->library.XGDMatrixFree(session->train);
}

/* A call's answer in our terms; the library's first line says what was wrong. */
static ax_status
answer(struct ax_ctx *ctx, const struct session *session, int result, const char *what)
{
    if (result == 0)
        return AX_OK;
    ax_str text = ax_str_trim(ax_str_of(session->library.XGBGetLastError())), line = {};
    if (!ax_str_cut(&text, '\n', &line) || line.len == 0)
        line = AX_STR("no reason given");
    return ax_fail(ctx, AX_INTERNAL, "xgboost: %s: %.*s", what, AX_FMT(line));
}

/* ---- rows ---- */

/* Names and types of the columns, for matrices and for the file. */
static ax_status
name_columns(struct ax_ctx *ctx, const struct ax_frame *frame, struct session *session)
{
    session->column_count = frame->column_count;
    session->names = AX_NEW_ARRAY(ctx->arena, const char *, frame->column_count + 1);
    session->types = AX_NEW_ARRAY(ctx->arena, const char *, frame->column_count + 1);
    if (!session->names || !session->types)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", frame->column_count);
    for (size_t c = 0; c < frame->column_count; c++) {
        session->names[c] = ax_str_c(ctx->arena, frame->columns[c].name);
        session->types[c] = frame->columns[c].kind == AX_FRAME_CATEGORY ? "c" : "q";
        if (!session->names[c])
            return ax_fail(ctx, AX_LIMIT, "no memory for %zu columns", frame->column_count);
    }
    return AX_OK;
}

static ax_status
describe_matrix(struct ax_ctx *ctx, const struct session *session, DMatrixHandle matrix)
{
    const struct library *library = &session->library;
    AX_TRY(answer(ctx, session,
                  library->XGDMatrixSetStrFeatureInfo(matrix, "feature_name", session->names,
                                                      session->column_count),
                  "names of the columns"));
    return answer(ctx, session,
                  library->XGDMatrixSetStrFeatureInfo(matrix, "feature_type", session->types,
                                                      session->column_count),
                  "types of the columns");
}

static ax_status
describe_booster(struct ax_ctx *ctx, const struct session *session)
{
    const struct library *library = &session->library;
    AX_TRY(answer(ctx, session,
                  library->XGBoosterSetStrFeatureInfo(session->booster, "feature_name",
                                                      session->names, session->column_count),
                  "names of the features"));
    return answer(ctx, session,
                  library->XGBoosterSetStrFeatureInfo(session->booster, "feature_type",
                                                      session->types, session->column_count),
                  "types of the features");
}

/* What fits a double and not a float would be infinite; the library refuses that without a place.
 */
static ax_status
check_cells(struct ax_ctx *ctx, const struct ax_frame *frame, const float *cells)
{
    for (size_t i = 0; i < frame->row_count * frame->column_count; i++) {
        if (isinf(cells[i]))
            return ax_fail(ctx, AX_INVALID, "row %zu, column `%.*s` is too large for a float",
                           i / frame->column_count,
                           AX_FMT(frame->columns[i % frame->column_count].name));
    }
    return AX_OK;
}

static ax_status
load_rows(struct ax_ctx *ctx, const struct session *session, const struct ax_frame *frame,
          DMatrixHandle *out_matrix)
{
    if (frame->row_count > ROWS_MAX)
        return ax_fail(ctx, AX_LIMIT, "%zu rows are too many", frame->row_count);
    float *cells = NULL;
    float *labels = AX_NEW_ARRAY(ctx->arena, float, frame->row_count + 1);
    AX_TRY(ax_frame_floats(ctx, frame, &cells));
    AX_TRY(check_cells(ctx, frame, cells));
    if (!labels)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu labels", frame->row_count);
    for (size_t i = 0; i < frame->row_count; i++)
        labels[i] = frame->labels[i];
    const struct library *library = &session->library;
    AX_TRY(answer(ctx, session,
                  library->XGDMatrixCreateFromMat(cells, frame->row_count, frame->column_count, NAN,
                                                  out_matrix),
                  "rows"));
    AX_TRY(answer(ctx, session,
                  library->XGDMatrixSetFloatInfo(*out_matrix, "label", labels, frame->row_count),
                  "labels"));
    return describe_matrix(ctx, session, *out_matrix);
}

/* ---- parameters ---- */

static ax_status
set_text(struct ax_ctx *ctx, const struct session *session, const char *name, const char *value)
{
    return answer(ctx, session, session->library.XGBoosterSetParam(session->booster, name, value),
                  name);
}

static ax_status
set_number(struct ax_ctx *ctx, const struct session *session, const char *name, double value)
{
    char text[AX_NUMBER_BYTES_MAX];
    ax_format_f64(value, text);
    return set_text(ctx, session, name, text);
}

/* "(1,0,-1)": one direction a column. Not set at all when there is none. */
static ax_status
set_monotone(struct ax_ctx *ctx, const struct session *session,
             const struct ax_learner_input *input)
{
    int *directions = NULL;
    AX_TRY(ax_parameters_monotone(ctx, input->parameters, input->train, &directions));
    ax_writer_auto struct ax_writer text = ax_writer_of((size_t)4 * AX_FRAME_COLUMNS_MAX);
    bool any = false;
    for (size_t c = 0; c < input->train->column_count; c++) {
        ax_writer_print(&text, "%c%d", c == 0 ? '(' : ',', directions[c]);
        any = any || directions[c] != 0;
    }
    ax_writer_text(&text, ")");
    const char *value = ax_str_c(ctx->arena, ax_writer_str(&text));
    if (text.status != AX_OK || !value)
        return ax_fail(ctx, AX_LIMIT, "no memory for the directions of the columns");
    return any ? set_text(ctx, session, "monotone_constraints", value) : AX_OK;
}

static double
event_rate(const struct ax_frame *frame)
{
    size_t events = 0;
    for (size_t i = 0; i < frame->row_count; i++)
        events += frame->labels[i];
    return (double)events / (double)frame->row_count;
}

static ax_status
set_parameters(struct ax_ctx *ctx, const struct session *session,
               const struct ax_learner_input *input)
{
    const struct config *config = &session->config;
    const struct {
        const char *name, *value;
    } words[] = {{"verbosity", "0"},
                 {"booster", "gbtree"},
                 {"tree_method", "hist"},
                 {"objective", "binary:logistic"},
                 {"eval_metric", "logloss"}};
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"nthread", input->thread_count},
                   /* 3.0 would estimate it and 1.7 would not; said, the two agree. */
                   {"base_score", event_rate(input->train)},
                   /* The library's seed is a signed 64-bit number; a double holds 53 bits. */
                   {"seed", (double)(input->seed & ((UINT64_C(1) << 31) - 1))},
                   {"max_depth", (double)config->max_depth},
                   {"eta", config->learning_rate},
                   {"min_child_weight", config->min_child_weight},
                   {"subsample", config->subsample},
                   {"colsample_bytree", config->colsample},
                   {"lambda", config->lambda},
                   {"alpha", config->alpha},
                   {"gamma", config->gamma},
                   {"max_bin", (double)config->max_bin},
                   {"max_cat_to_onehot", (double)config->max_cat_to_onehot}};
    for (size_t i = 0; i < AX_COUNT_OF(words); i++)
        AX_TRY(set_text(ctx, session, words[i].name, words[i].value));
    for (size_t i = 0; i < AX_COUNT_OF(numbers); i++)
        AX_TRY(set_number(ctx, session, numbers[i].name, numbers[i].value));
    return set_monotone(ctx, session, input);
}

/* ---- boosting ---- */

/* The number behind the last ':' of "[0]\tvalidation-logloss:0.61". */
static ax_status
read_loss(struct ax_ctx *ctx, const char *line, double *out_loss)
{
    ax_str text = ax_str_of(line), part = {};
    while (ax_str_cut(&text, ':', &part))
        ;
    double loss = 0;
    if (!ax_parse_f64(part, &loss) || !isfinite(loss))
        return ax_fail(ctx, AX_INTERNAL, "xgboost: its evaluation reads \"%s\"", line);
    *out_loss = loss;
    return AX_OK;
}

struct progress {
    int rounds;       /* trees grown */
    int best;         /* round with the lowest validation loss; rounds without a validation set */
    double best_loss; /* NaN without one */
};

static ax_status
evaluate(struct ax_ctx *ctx, struct session *session, int round, double *out_loss)
{
    const char *name = "validation", *line = NULL;
    AX_TRY(answer(ctx, session,
                  session->library.XGBoosterEvalOneIter(session->booster, round,
                                                        &session->validation, &name, 1, &line),
                  "evaluation"));
    return read_loss(ctx, line, out_loss);
}

static ax_status
boost(struct ax_ctx *ctx, struct session *session, struct progress *out_progress)
{
    struct progress progress = {.best_loss = (double)NAN};
    int patience = (int)session->config.early_stopping;
    for (int round = 0; round < session->config.rounds; round++) {
        AX_TRY(
            answer(ctx, session,
                   session->library.XGBoosterUpdateOneIter(session->booster, round, session->train),
                   "a round"));
        progress.rounds = round + 1;
        if (!session->validation) {
            progress.best = round + 1;
            continue;
        }
        double loss = 0;
        AX_TRY(evaluate(ctx, session, round, &loss));
        if (isnan(progress.best_loss) || loss < progress.best_loss) {
            progress.best_loss = loss;
            progress.best = round + 1;
        }
        if (patience == 0)
            progress.best = round + 1;
        else if (progress.rounds - progress.best >= patience)
            break;
    }
    *out_progress = progress;
    return AX_OK;
}

/* Leaves the trees up to the best round. */
static ax_status
cut_back(struct ax_ctx *ctx, struct session *session, const struct progress *progress)
{
    if (progress->best == progress->rounds)
        return AX_OK;
    BoosterHandle best = NULL;
    AX_TRY(answer(ctx, session,
                  session->library.XGBoosterSlice(session->booster, 0, progress->best, 1, &best),
                  "cutting back to the best round"));
    session->library.XGBoosterFree(session->booster);
    session->booster = best;
    return AX_OK;
}

static ax_status
save(struct ax_ctx *ctx, struct session *session, ax_str *out_model)
{
    bst_ulong len = 0;
    const char *bytes = NULL;
    AX_TRY(answer(ctx, session,
                  session->library.XGBoosterSaveModelToBuffer(
                      session->booster, "{\"format\": \"ubj\"}", &len, &bytes),
                  "saving"));
    if (!ax_str_copy(ctx->arena, (ax_str){bytes, len}, out_model))
        return ax_fail(ctx, AX_LIMIT, "no memory for a model of %zu bytes", (size_t)len);
    return AX_OK;
}

static double
xgboost_margin(const void *arg, size_t row)
{
    const float *margins = arg;
    return (double)margins[row];
}

/* The library's own margins of the first rows, by the booster that was saved. */
static ax_status
probe(struct ax_ctx *ctx, struct session *session, const struct ax_frame *train,
      struct ax_learner_result *result)
{
    struct ax_frame first = *train;
    if (first.row_count > AX_LEARNER_PROBES_MAX)
        first.row_count = AX_LEARNER_PROBES_MAX;
    AX_TRY(load_rows(ctx, session, &first, &session->probe));
    const bst_ulong *shape = NULL;
    bst_ulong dimensions = 0;
    const float *margins = NULL;
    AX_TRY(answer(ctx, session,
                  session->library.XGBoosterPredictFromDMatrix(
                      session->booster, session->probe,
                      "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, "
                      "\"iteration_end\": 0, \"strict_shape\": false}",
                      &shape, &dimensions, &margins),
                  "margins"));
    if (dimensions < 1 || shape[0] != first.row_count)
        return ax_fail(ctx, AX_INTERNAL, "xgboost: margins are not one a row");
    return ax_learner_probe(ctx, train, xgboost_margin, margins, result);
}

static ax_status
report(struct ax_ctx *ctx, const struct session *session, const struct progress *progress,
       const struct ax_learner_input *input, ax_str *out_report)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(64 << 10);
    struct ax_json_writer json = ax_json_writer_of(&out);
    ax_json_begin_object(&json);
    ax_json_key(&json, "parameters");
    ax_json_begin_object(&json);
    ax_parameters_write(&parameters, &session->config, &json);
    ax_json_end_object(&json);
    ax_json_key(&json, "seed");
    ax_json_put_u64(&json, input->seed);
    ax_json_member_i64(&json, "threads", input->thread_count);
    ax_json_member_i64(&json, "rounds_run", progress->rounds);
    ax_json_member_i64(&json, "rounds_kept", progress->best);
    ax_json_member_f64(&json, "validation_log_loss", progress->best_loss);
    ax_json_end_object(&json);
    return ax_writer_take(&out, ctx->arena, out_report);
}

static ax_status
train(struct ax_ctx *ctx, struct session *session, const struct ax_learner_input *input,
      struct ax_learner_result *result)
{
    AX_TRY(open_library(ctx, &session->library));
    AX_TRY(name_columns(ctx, input->train, session));
    AX_TRY(load_rows(ctx, session, input->train, &session->train));
    if (input->validation)
        AX_TRY(load_rows(ctx, session, input->validation, &session->validation));
    const DMatrixHandle cached[] = {session->train, session->validation};
    AX_TRY(answer(
        ctx, session,
        session->library.XGBoosterCreate(cached, input->validation ? 2 : 1, &session->booster),
        "a booster"));
    AX_TRY(set_parameters(ctx, session, input));
    struct progress progress = {};
    AX_TRY(boost(ctx, session, &progress));
    AX_TRY(cut_back(ctx, session, &progress));
    AX_TRY(describe_booster(ctx, session));
    AX_TRY(save(ctx, session, &result->model));
    int major = 0, minor = 0, patch = 0;
    session->library.XGBoostVersion(&major, &minor, &patch);
    result->format = AX_STR("xgboost-ubjson");
    result->library = ax_str_printf(ctx->arena, "xgboost %d.%d.%d", major, minor, patch);
    if (!result->library.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for the model's description");
    AX_TRY(probe(ctx, session, input->train, result));
    return report(ctx, session, &progress, input, &result->report);
}

static ax_status
xgboost_train(struct ax_ctx *ctx, const struct ax_learner_input *input,
              struct ax_learner_result *out_result)
{
    struct session session = {};
    AX_TRY(ax_parameters_read(ctx, &parameters, input->parameters, &session.config));
    struct ax_learner_result result = {};
    ax_status status = train(ctx, &session, input, &result);
    close_session(&session);
    if (status == AX_OK)
        *out_result = result;
    return status;
}

const struct ax_learner_ops ax_xgboost_train_ops = {.name = "xgboost", .train = xgboost_train};
