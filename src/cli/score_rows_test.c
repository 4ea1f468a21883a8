#include "cli/score_rows.h"

#include <math.h>

#include "base/number.h"
#include "harness.h"
#include "sys/file.h"

#define SMALL "tests/model/small/xgboost.json" /* age, income, job (a category) */

static struct ax_engine *
open_model(struct ax_ctx *ctx, const char *path)
{
    ax_str bytes;
    struct ax_engine *engine = NULL;
    CHECK_EQ(ax_file_read_all(ctx, ax_str_of(path), 1 << 20, &bytes), AX_OK);
    CHECK_EQ(ax_engine_open(ctx, bytes, NULL, &engine), AX_OK);
    return engine;
}

/* Header and lines of a table's answers. */
static ax_status
score(struct ax_ctx *ctx, const struct ax_engine *engine, const struct ax_score_rows_config *config,
      ax_str table, struct ax_writer *out)
{
    struct ax_score_rows *rows;
    struct ax_score_block block;
    struct ax_csv *csv;
    AX_TRY(ax_csv_open(ctx, table, NULL, &csv));
    AX_TRY(ax_score_rows_open(ctx, engine, config, &rows));
    AX_TRY(ax_score_rows_match(rows, ctx, ax_csv_header(csv)));
    AX_TRY(ax_score_rows_block(rows, ctx, &block));
    ax_score_rows_header(rows, out);
    do {
        AX_TRY(ax_score_rows_next(rows, ctx, csv, &block));
        ax_score_rows_print(rows, &block, out);
    } while (block.count > 0);
    return out->status == AX_OK ? AX_OK : ax_fail(ctx, AX_LIMIT, "full");
}

static ax_str
answer(struct ax_ctx *ctx, const struct ax_engine *engine, const char *outputs, const char *table)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    struct ax_score_rows_config config = {.outputs = ax_str_of(outputs)};
    ax_str text = {};
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(1 << 22);
    struct ax_ctx inner = ax_ctx_of(arena);
    CHECK_EQ(score(&inner, engine, &config, ax_str_of(table), &out), AX_OK);
    CHECK_EQ(ax_writer_take(&out, ctx->arena, &text), AX_OK);
    return text;
}

static void
columns(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    ax_str by_order = answer(ctx, engine, "margin", "a,b,c\n41,1200.5,nurse\n20,,cook\n");
    CHECK(by_order.len > 0);
    CHECK(ax_str_eq(
        answer(ctx, engine, "margin", "job,more,income,age\nnurse,x,1200.5,41\ncook,y,,20\n"),
        by_order));
    /* A category's code is as good as its word. */
    CHECK(ax_str_eq(answer(ctx, engine, "margin", "a,b,c\n41,1200.5,3\n20,, 1\n"), by_order));
}

TEST(columns_are_found_by_name_or_by_order)
{
    ax_test_with_ctx(columns);
}

/* Several outputs side by side are what each of them is alone. */
static void
several(struct ax_ctx *ctx)
{
    static const char table[] = "age,income,job\n41,1200.5,nurse\n20,,cook\n";
    static const char numbers[] = "age,income,job\n41,1200.5,1\n";
    static const char *const names[] = {"leaf", "response", "contributions", "margin"};
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    ax_str together = answer(ctx, engine, "leaf,response,contributions,margin", table);
    ax_str alone[AX_COUNT_OF(names)], line, part;
    for (size_t i = 0; i < AX_COUNT_OF(names); i++)
        alone[i] = answer(ctx, engine, names[i], table);
    for (size_t r = 0; r < 3; r++) {
        ax_writer_auto struct ax_writer joined = ax_writer_of(1 << 16);
        CHECK(ax_str_cut(&together, '\n', &line));
        for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
            CHECK(ax_str_cut(&alone[i], '\n', &part));
            ax_writer_text(&joined, i ? "," : "");
            ax_writer_bytes(&joined, part);
        }
        CHECK(ax_str_eq(ax_writer_str(&joined), line));
    }
    CHECK(ax_str_starts(answer(ctx, engine, "contributions", table),
                        AX_STR("age,income,job,bias\n")));
    ax_auto(ax_engine_close) struct ax_engine *vector =
        open_model(ctx, "tests/model/small/vector.json");
    CHECK(ax_str_starts(answer(ctx, vector, "margin", numbers), AX_STR("margin_0,margin_1\n")));
    CHECK(ax_str_starts(answer(ctx, vector, "contributions", numbers),
                        AX_STR("age_0,income_0,job_0,bias_0,age_1,income_1,job_1,bias_1\n")));
}

/* A line of interactions adds up to its feature's contribution, in the named layout. */
static void
interactions(struct ax_ctx *ctx)
{
    static const char table[] = "age,income,job\n41,1200.5,1\n20,,0\n";
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    ax_str pairs = answer(ctx, engine, "interactions", table), line, cell;
    ax_str alone = answer(ctx, engine, "contributions", table), contribution;
    CHECK(ax_str_cut(&pairs, '\n', &line));
    CHECK(ax_str_starts(line, AX_STR("age:age,age:income,age:job,age:bias,income:age,")));
    CHECK(ax_str_ends(line, AX_STR(",bias:job,bias:bias")));
    CHECK(ax_str_cut(&alone, '\n', &contribution));
    for (size_t r = 0; r < 2; r++) {
        CHECK(ax_str_cut(&pairs, '\n', &line) && ax_str_cut(&alone, '\n', &contribution));
        for (size_t f = 0; f < 4; f++) {
            double sum = 0, number = 0, wanted = 0;
            for (size_t k = 0; k < 4; k++) {
                CHECK(ax_str_cut(&line, ',', &cell) && ax_parse_f64(cell, &number));
                sum += number;
            }
            CHECK(ax_str_cut(&contribution, ',', &cell) && ax_parse_f64(cell, &wanted));
            CHECK(fabs(sum - wanted) < 1e-12);
        }
    }
    ax_auto(ax_engine_close) struct ax_engine *vector =
        open_model(ctx, "tests/model/small/vector.json");
    CHECK(ax_str_starts(answer(ctx, vector, "interactions", "age,income,job\n41,1,1\n"),
                        AX_STR("age:age_0,age:income_0,")));
}

TEST(interactions_are_a_square_of_named_columns)
{
    ax_test_with_ctx(interactions);
}

static void
references(struct ax_ctx *ctx)
{
    static const char few[] = "job,age,income\n1,41,1200.5\n0,20,\n1,33,900\n";
    static const char table[] = "age,income,job\n41,1200.5,1\n";
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    ax_auto(ax_engine_background_close) struct ax_engine_background *background = NULL;
    struct ax_score_rows_config config = {.outputs = AX_STR("contributions")};
    struct ax_csv *csv;
    REQUIRE(ax_csv_open(ctx, ax_str_of(few), NULL, &csv) == AX_OK);
    CHECK_EQ(ax_score_rows_background(ctx, engine, &config, csv, &background), AX_OK);
    CHECK_EQ(ax_engine_background_count(background), 3);
    struct ax_score_rows *rows;
    struct ax_score_block block;
    config.background = background;
    REQUIRE(ax_csv_open(ctx, ax_str_of(table), NULL, &csv) == AX_OK);
    CHECK_EQ(ax_score_rows_open(ctx, engine, &config, &rows), AX_OK);
    CHECK_EQ(ax_score_rows_match(rows, ctx, ax_csv_header(csv)), AX_OK);
    CHECK_EQ(ax_score_rows_block(rows, ctx, &block), AX_OK);
    CHECK_EQ(ax_score_rows_next(rows, ctx, csv, &block), AX_OK);
    const double row[3] = {41, 1200.5, 1};
    double wanted[4];
    const struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                        .outputs = AX_ENGINE_CONTRIBUTIONS,
                                        .background = background};
    void *scratch =
        ax_arena_alloc(ctx->arena, 1, ax_engine_scratch_bytes(engine, call.outputs, background));
    CHECK_EQ(ax_engine_score(engine, ctx, &call, scratch,
                             &(struct ax_engine_answer){.contributions = wanted}),
             AX_OK);
    CHECK(block.count == 1 && memcmp(block.numbers, wanted, sizeof wanted) == 0);
    config.outputs = AX_STR("interactions");
    CHECK_EQ(ax_score_rows_open(ctx, engine, &config, &rows), AX_UNSUPPORTED);
    CHECK_STR(ax_str_of(ctx->error), "interactions are given without --references only");
}

TEST(references_take_the_place_of_the_models_cover)
{
    ax_test_with_ctx(references);
}

TEST(outputs_stand_side_by_side_in_the_order_they_are_named)
{
    ax_test_with_ctx(several);
}

static void
blocks(struct ax_ctx *ctx)
{
    ax_writer_auto struct ax_writer table = ax_writer_of(1 << 20);
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    ax_writer_text(&table, "age,income,job\n");
    for (int i = 0; i < 2'500; i++)
        ax_writer_print(&table, "%d,%d,cook\n", i % 90, i);
    struct ax_score_rows_config config = {.outputs = AX_STR("response")};
    struct ax_score_rows *rows = NULL;
    struct ax_score_block block = {};
    struct ax_csv *csv = NULL;
    REQUIRE(ax_csv_open(ctx, ax_writer_str(&table), NULL, &csv) == AX_OK);
    REQUIRE(ax_score_rows_open(ctx, engine, &config, &rows) == AX_OK);
    REQUIRE(ax_score_rows_match(rows, ctx, ax_csv_header(csv)) == AX_OK);
    REQUIRE(ax_score_rows_block(rows, ctx, &block) == AX_OK);
    CHECK_EQ(ax_score_rows_width(rows), 1);
    size_t seen = 0;
    for (;;) {
        REQUIRE(ax_score_rows_next(rows, ctx, csv, &block) == AX_OK);
        if (block.count == 0)
            break;
        CHECK_EQ(block.first_number, seen + 2);
        for (size_t r = 0; r < block.count; r++) {
            CHECK_EQ(block.lines[r], seen + r + 2);
            CHECK(block.cells[3 * r + 1] == (double)(seen + r));
        }
        seen += block.count;
    }
    CHECK_EQ(seen, 2'500);
}

TEST(a_long_table_is_scored_in_blocks)
{
    ax_test_with_ctx(blocks);
}

static void
refusals(struct ax_ctx *ctx)
{
    static const struct {
        const char *outputs, *table, *says;
        ax_status status;
    } cases[] = {
        {"odds", "a\n",
         "--output must be response, margin, contributions, interactions, leaf or points, not "
         "\"odds\"",
         AX_INVALID},
        {"", "a\n", "not \"\"", AX_INVALID},
        {"margin,", "a\n", "not \"\"", AX_INVALID},
        {"margin,leaf,margin", "a\n", "--output names margin twice", AX_INVALID},
        {"points", "a\n", "this model gives no points", AX_UNSUPPORTED},
        {"margin", "age,b\n1,2\n",
         "the model has 3 features; the input has 2 columns, of which 1 are named like features",
         AX_INVALID},
        {"margin", "age,income,job\n1,2,cook\nold,2,cook\n",
         "row 3 (line 3), column `age`: \"old\" is not a number", AX_INVALID},
        {"margin", "age,income,job\n1,2,pilot\n",
         "row 2 (line 2), column `job`: \"pilot\" is none of its categories", AX_INVALID},
        {"margin", "age,income,job\n1,2\n", "row 2 (line 2) has 2 fields, the header 3",
         AX_INVALID},
    };
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
        struct ax_score_rows_config config = {.outputs = ax_str_of(cases[i].outputs)};
        CHECK_EQ(score(ctx, engine, &config, ax_str_of(cases[i].table), &out), cases[i].status);
        CHECK(ax_test_said(ctx, cases[i].says));
    }
}

TEST(what_does_not_fit_is_refused_in_a_sentence)
{
    ax_test_with_ctx(refusals);
}

static void
missing(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_score_rows_config config = {
        .outputs = AX_STR("margin"), .missing_given = true, .missing = -999};
    CHECK_EQ(score(ctx, engine, &config, AX_STR("a,b,c\n-999,-999,cook\n"), &out), AX_OK);
    CHECK(ax_str_eq(ax_writer_str(&out), answer(ctx, engine, "margin", "a,b,c\n,,cook\n")));
}

static void
fast(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = open_model(ctx, SMALL);
    static const double row[] = {41, 1200.5, 1};
    double margin = 0, printed = 0;
    size_t bytes = ax_engine_scratch_bytes(engine, AX_ENGINE_MARGIN, NULL);
    const struct ax_engine_call call = {.rows = {.at = row, .count = 1, .type = AX_ENGINE_F64},
                                        .outputs = AX_ENGINE_MARGIN,
                                        .mode = AX_ENGINE_FAST};
    const struct ax_engine_answer one = {.margin = &margin};
    void *scratch = ax_arena_alloc(ctx->arena, 1, bytes + 1);
    CHECK_EQ(ax_engine_score(engine, ctx, &call, scratch, &one), AX_OK);
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_score_rows_config config = {.outputs = AX_STR("margin"), .mode = AX_ENGINE_FAST};
    CHECK_EQ(score(ctx, engine, &config, AX_STR("a,b,c\n41,1200.5,1\n"), &out), AX_OK);
    ax_str line = ax_str_from(ax_writer_str(&out), strlen("margin\n"));
    CHECK(ax_parse_f64(ax_str_trim(line), &printed));
    CHECK((float)printed == (float)margin);
}

TEST(rows_can_be_scored_in_the_fast_mode)
{
    ax_test_with_ctx(fast);
}

TEST(a_number_may_stand_for_missing)
{
    ax_test_with_ctx(missing);
}

static ax_status
swept(struct ax_ctx *ctx)
{
    ax_str bytes;
    ax_auto(ax_engine_close) struct ax_engine *engine = NULL;
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_score_rows_config config = {.outputs = AX_STR("leaf,margin")};
    AX_TRY(ax_file_read_all(ctx, AX_STR("tests/model/small/xgboost.ubj"), 1 << 20, &bytes));
    AX_TRY(ax_engine_open(ctx, bytes, NULL, &engine));
    return score(ctx, engine, &config, AX_STR("a,b,c\n1,2,0\n"), &out);
}

TEST(scoring_rows_survives_every_fault)
{
    FAULT_SWEEP(swept);
}
