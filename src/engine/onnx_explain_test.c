#include "engine/onnx_explain.h"

#include <math.h>

#include "harness.h"
#include "model_case.h"

/* Models whose response is a sum, of no fewer features than are moved; those beside the project
 * where they are. */
static const struct {
    const char *folder;
    double reach; /* of the values: log-odds of a float32 are wide of the mark far out */
} sums[] = {
    {"tests/model/onnx/frame_car_logistic", 0.5},
    {"tests/model/onnx/frame_german_logistic_zipmap", 0.5},
    {"tests/model/onnx/modes_binary_none", 144},
    {"tests/model/onnx/tree_ensemble_v5_double", 144},
    {"../shared/models/onnx/gbc_zipmap", 144},
    {"../shared/models/onnx/gbr", 144},
    {"../shared/models/onnx/hgb", 144},
    {"../shared/models/onnx/forest_two_targets", 144},
    {"../shared/models/onnx/linear_regressor_2", 0.5},
    {"../shared/models/onnx/modes_regressor_average", 144},
    {"../shared/models/onnx/pipe_scaler_logistic", 0.5},
};

enum { MOVED = 6, SETS = 1 << MOVED, REFERENCES = 3, FEATURES_MAX = 64 };

/* Rows that differ in a few features alone: the others contribute nothing. */
struct game {
    const struct ax_engine *engine;
    size_t features, margins;
    double row[FEATURES_MAX], references[REFERENCES][FEATURES_MAX];
    size_t moved[MOVED];
    double *values; /* [set of features that are the row's][margin], mean over the references */
};

static double
cell(const struct ax_engine_feature *feature, size_t seed, double reach)
{
    size_t number = seed * 2654435761U % 1009;
    return feature->categorical ? (double)(number % feature->category_count)
                                : ((double)number / 1009 - 0.15) * reach;
}

static void
set_up(struct ax_ctx *ctx, const struct ax_engine *engine, size_t seed, double reach,
       struct game *game)
{
    const struct ax_engine_signature *signature = ax_engine_signature(engine);
    *game = (struct game){
        .engine = engine, .features = signature->feature_count, .margins = signature->margin_count};
    REQUIRE(game->features > 0 && game->features <= FEATURES_MAX);
    for (size_t f = 0; f < game->features; f++) {
        game->row[f] = cell(&signature->features[f], seed + f, reach);
        for (size_t r = 0; r < REFERENCES; r++)
            game->references[r][f] = game->row[f];
    }
    for (size_t m = 0; m < MOVED; m++) {
        game->moved[m] = (seed * 5 + m * game->features / MOVED) % game->features;
        for (size_t r = 0; r < REFERENCES; r++)
            game->references[r][game->moved[m]] =
                cell(&signature->features[game->moved[m]], seed * 31 + r * 97 + m * 11, reach);
    }
    game->values = AX_NEW_ARRAY(ctx->arena, double, SETS * game->margins);
    REQUIRE(game->values);
}

static void
play(struct ax_ctx *ctx, struct game *game)
{
    double *rows = AX_NEW_ARRAY(ctx->arena, double, SETS *REFERENCES * game->features);
    REQUIRE(rows);
    for (size_t i = 0; i < SETS * REFERENCES; i++) {
        double *row = rows + i * game->features;
        memcpy(row, game->references[i % REFERENCES], game->features * sizeof *row);
        for (size_t m = 0; m < MOVED; m++)
            if (i / REFERENCES >> m & 1)
                row[game->moved[m]] = game->row[game->moved[m]];
    }
    const struct ax_engine_call call = {
        .rows = {.at = rows, .count = SETS * REFERENCES, .type = AX_ENGINE_F64},
        .outputs = AX_ENGINE_MARGIN};
    struct ax_engine_answer answer = model_case_score(ctx, game->engine, &call, NULL);
    for (size_t i = 0; i < SETS * REFERENCES; i++)
        for (size_t k = 0; k < game->margins; k++)
            game->values[i / REFERENCES * game->margins + k] +=
                answer.margin[i * game->margins + k] / REFERENCES;
}

/* By the definition: over all sets without the feature. */
static double
shapley(const struct game *game, size_t moved, size_t margin)
{
    static const double weights[MOVED] = {1.0 / 6, 1.0 / 30, 1.0 / 60, 1.0 / 60, 1.0 / 30, 1.0 / 6};
    double sum = 0;
    for (size_t set = 0; set < SETS; set++)
        if (!(set >> moved & 1))
            sum += weights[__builtin_popcountll(set)] *
                   (game->values[(set | (size_t)1 << moved) * game->margins + margin] -
                    game->values[set * game->margins + margin]);
    return sum;
}

/* Margins are float32 or the log-odds of one; contributions are exact. */
static void
compare(const char *name, const struct game *game, const double *contributions)
{
    double scale = 1;
    for (size_t i = 0; i < SETS * game->margins; i++)
        scale = fmax(scale, fabs(game->values[i]));
    for (size_t k = 0; k < game->margins; k++) {
        const double *got = contributions + k * (game->features + 1);
        double sum = got[game->features], wanted[FEATURES_MAX] = {};
        for (size_t m = 0; m < MOVED; m++)
            wanted[game->moved[m]] = shapley(game, m, k);
        for (size_t f = 0; f < game->features; f++) {
            sum += got[f];
            if (fabs(got[f] - wanted[f]) > 2e-4 * scale) {
                ax_test_failed(__FILE__, __LINE__, "%s: feature %zu is %.9g, not %.9g", name, f,
                               got[f], wanted[f]);
                return;
            }
        }
        CHECK(fabs(got[game->features] - game->values[k]) < 2e-4 * scale);
        CHECK(fabs(sum - game->values[(SETS - 1) * game->margins + k]) < 2e-4 * scale);
    }
}

static void
check_sum(const char *folder, double reach)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)1 << 28);
    struct ax_ctx ctx = ax_ctx_of(arena);
    char path[256];
    ax_str bytes;
    struct game game;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    if (!model_case_read(&ctx, path, &bytes) && strncmp(folder, "..", 2) == 0)
        return;
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
    REQUIRE(engine);
    CHECK(ax_engine_signature(engine)->background);
    CHECK(!(ax_engine_signature(engine)->outputs & AX_ENGINE_CONTRIBUTIONS));
    for (size_t seed = 1; seed < 40; seed += 13) {
        ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
        set_up(&ctx, engine, seed, reach, &game);
        play(&ctx, &game);
        const struct ax_engine_rows people = {.at = game.references,
                                              .count = REFERENCES,
                                              .row_stride_bytes = sizeof game.references[0],
                                              .type = AX_ENGINE_F64};
        CHECK_EQ(ax_engine_background_open(engine, &ctx, &people, &background), AX_OK);
        REQUIRE(background);
        double rows[3][FEATURES_MAX]; /* in a batch, and of any stride */
        for (size_t i = 0; i < 3; i++)
            memcpy(rows[i], game.row, sizeof game.row);
        const struct ax_engine_call call = {.rows = {.at = rows,
                                                     .count = 3,
                                                     .row_stride_bytes = sizeof rows[0],
                                                     .type = AX_ENGINE_F64},
                                            .outputs = AX_ENGINE_CONTRIBUTIONS,
                                            .background = background};
        struct ax_engine_answer answer = model_case_score(&ctx, engine, &call, NULL);
        size_t width = game.margins * (game.features + 1);
        compare(folder, &game, answer.contributions + 2 * width);
        CHECK(memcmp(answer.contributions, answer.contributions + 2 * width,
                     width * sizeof(double)) == 0);
    }
}

TEST(onnx_explain_sums_are_shapley_values_by_their_definition)
{
    for (size_t i = 0; i < AX_COUNT_OF(sums); i++)
        check_sum(sums[i].folder, sums[i].reach);
}

TEST(onnx_explain_says_why_there_are_no_contributions)
{
    static const struct {
        const char *folder, *why;
    } cases[] = {
        {"calibrated", "no contributions: the response is made by Div, which is no sum"},
        {"modes_regressor_max", "no contributions: its trees are not added up"},
        {"pipe_power", "no contributions: features are mixed before they are summed"},
        {"tree_ml1", "no contributions: its sums are probabilities, whose log-odds (the margin) "
                     "are no sum"},
        {"tree_ensemble_v5_member", "no contributions: its trees ask for members of sets, or have "
                                    "base values that not every row gets"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)1 << 26);
        struct ax_ctx ctx = ax_ctx_of(arena);
        char path[256];
        snprintf(path, sizeof path, "tests/model/onnx/%s/model.onnx", cases[i].folder);
        ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(&ctx, path);
        struct ax_engine_background *background = NULL;
        REQUIRE(engine);
        const struct ax_engine_signature *signature = ax_engine_signature(engine);
        bool said = false;
        for (size_t n = 0; n < signature->note_count; n++)
            said |= ax_str_eq(signature->notes[n], ax_str_of(cases[i].why));
        if (!said || signature->background)
            ax_test_failed(__FILE__, __LINE__, "%s does not say: %s", cases[i].folder,
                           cases[i].why);
        CHECK_EQ(ax_engine_background_open(engine, &ctx, &(struct ax_engine_rows){.count = 1},
                                           &background),
                 AX_UNSUPPORTED);
    }
}

TEST(onnx_explain_refuses_a_reference_without_a_value)
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new((size_t)1 << 26);
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_auto(ax_engine_close) struct ax_engine *engine =
        model_case_open(&ctx, "tests/model/onnx/linear_one_score/model.onnx");
    struct ax_engine_background *background = NULL;
    double rows[2][FEATURES_MAX] = {};
    REQUIRE(engine);
    rows[1][2] = (double)NAN;
    const struct ax_engine_rows people = {
        .at = rows, .count = 2, .row_stride_bytes = sizeof rows[0], .type = AX_ENGINE_F64};
    CHECK_EQ(ax_engine_background_open(engine, &ctx, &people, &background), AX_INVALID);
    CHECK_STR(ax_str_of(ctx.error), "reference population: row 1: `f2` is missing or infinite");
}
