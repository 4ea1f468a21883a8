#include "cli/model_rows.h"

#include <math.h>

#include "codec/csv.h"
#include "engine/engine.h"
#include "harness.h"
#include "model_case.h"

static const char small_path[] = "tests/model/small/lightgbm.txt";

static const struct {
    const char *csv;
    double row[3];    /* age, income, region */
    const char *part; /* of the sentence; NULL: the row is read */
} cases[] = {
    {"region,age,income\nTrue,30,100\n", {30, 100, 2}, NULL},
    {"income,x,age,region\n5, ,\" 40 \",north\n", {40, 5, 0}, NULL},
    {"a,b,c\n1,2,7\n", {1, 2, 1}, NULL},   /* by order; 7 is a word here */
    {"a,b,c\n1,2,33\n", {1, 2, 33}, NULL}, /* and this a code */
    {"a,b,c\n,,\n", {(double)NAN, (double)NAN, (double)NAN}, NULL},
    {"age,income\n1,2\n", {}, "the model has 3 features; the input has 2 columns, of which 2 are"},
    {"age,income,region\n1,two,north\n", {}, "row 2 (line 2), column `income`: \"two\" is not a"},
    {"age,income,region\n1,2,south\n", {}, "column `region`: \"south\" is none of its categories"},
};

static ax_status
read_one(struct ax_ctx *ctx, const struct ax_engine *engine, const char *text, double *out)
{
    struct ax_csv *csv = NULL;
    struct ax_csv_row row = {};
    struct ax_model_rows rows = {};
    AX_TRY(ax_csv_open(ctx, ax_str_of(text), NULL, &csv));
    AX_TRY(ax_model_rows_match(ctx, csv, ax_engine_signature(engine), &rows));
    AX_TRY(ax_csv_next(csv, ctx, &row));
    return ax_model_rows_take(ctx, &rows, &row, out);
}

static void
check_rows(struct ax_ctx *ctx)
{
    ax_auto(ax_engine_close) struct ax_engine *engine = model_case_open(ctx, small_path);
    REQUIRE(engine);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        double got[3] = {};
        ctx->error[0] = '\0';
        ax_status status = read_one(ctx, engine, cases[i].csv, got);
        bool same = true;
        for (size_t k = 0; k < 3; k++)
            same &= got[k] == cases[i].row[k] || (isnan(got[k]) && isnan(cases[i].row[k]));
        if (cases[i].part ? status != AX_INVALID || !strstr(ctx->error, cases[i].part)
                          : status != AX_OK || !same)
            ax_test_failed(__FILE__, __LINE__, "case %zu ends %s: %s", i, ax_status_name(status),
                           ctx->error);
    }
}

TEST(model_rows_are_matched_by_name_else_by_order)
{
    ax_test_with_ctx(check_rows);
}
