#include "learner/learner.h"

#include <math.h>

#include "harness.h"

enum { ROWS = 8, LONG_NAME = 1'001 };

static const ax_str words[] = {{"own", 3}, {"rent", 4}};
static const double amounts[] = {1, 2, 3, 4, 5, 6, 7, 8};
static const double codes[] = {0, 1, 0, 1, 1, (double)NAN, 0, 1};
static const uint8_t labels[] = {0, 1, 0, 1, 1, 0, 0, 1};

/* A sound table whose parts a case bends. */
struct table {
    double amounts[ROWS], codes[ROWS];
    uint8_t labels[ROWS];
    struct ax_frame_column columns[2];
    struct ax_frame frame;
};

static void
make_table(struct table *table)
{
    memcpy(table->amounts, amounts, sizeof amounts);
    memcpy(table->codes, codes, sizeof codes);
    memcpy(table->labels, labels, sizeof labels);
    table->columns[0] = (struct ax_frame_column){
        .name = AX_STR("amount"), .kind = AX_FRAME_NUMBER, .values = table->amounts};
    table->columns[1] = (struct ax_frame_column){.name = AX_STR("housing"),
                                                 .kind = AX_FRAME_CATEGORY,
                                                 .values = table->codes,
                                                 .categories = words,
                                                 .category_count = 2};
    table->frame = (struct ax_frame){
        .columns = table->columns, .column_count = 2, .row_count = ROWS, .labels = table->labels};
}

static void
bend_labels(struct table *table)
{
    table->frame.labels = NULL;
}

static void
bend_class(struct table *table)
{
    memset(table->labels, 0, sizeof table->labels);
}

static void
bend_label(struct table *table)
{
    table->labels[3] = 2;
}

static void
bend_columns(struct table *table)
{
    table->frame.column_count = 0;
}

static void
bend_name(struct table *table)
{
    table->columns[1].name = AX_STR("");
}

static void
bend_long_name(struct table *table)
{
    static char name[LONG_NAME];
    memset(name, 'x', sizeof name);
    table->columns[0].name = (ax_str){name, sizeof name};
}

static void
bend_nul_name(struct table *table)
{
    table->columns[0].name = (ax_str){"a\0b", 3};
}

static void
bend_twin(struct table *table)
{
    table->columns[1].name = AX_STR("amount");
}

static void
bend_infinite(struct table *table)
{
    table->amounts[5] = -(double)INFINITY;
}

static void
bend_code(struct table *table)
{
    table->codes[2] = 2;
}

static void
bend_fraction(struct table *table)
{
    table->codes[0] = 0.5;
}

static void
bend_negative(struct table *table)
{
    table->codes[0] = -1;
}

static void
bend_categories(struct table *table)
{
    table->columns[1].category_count = 0;
}

static const struct {
    void (*bend)(struct table *table);
    const char *words;
} bent[] = {
    {bend_labels, "rows have no labels"},
    {bend_class, "of 8 "},
    {bend_label, "row 3: the label must be 0 or 1"},
    {bend_columns, "column"},
    {bend_name, "the name of column 1 must have 1 to 1000 bytes"},
    {bend_long_name, "the name of column 0 must have 1 to 1000 bytes"},
    {bend_nul_name, "none 0"},
    {bend_twin, "column `amount` is there twice"},
    {bend_infinite, "row 5, column `amount`: -inf is no finite number"},
    {bend_code, "row 2, column `housing`: 2 is no category"},
    {bend_fraction, "row 0, column `housing`: 0.5 is no category"},
    {bend_negative, "row 0, column `housing`: -1 is no category"},
    {bend_categories, "column `housing` must have 1 to 10000 categories, not 0"},
};

static void
rows_body(struct ax_ctx *ctx)
{
    struct table sound, table;
    struct ax_learner_result result = {};
    make_table(&sound);
    for (size_t i = 0; i < AX_COUNT_OF(bent); i++) {
        make_table(&table);
        bent[i].bend(&table);
        struct ax_learner_input input = {.train = &table.frame, .thread_count = 1};
        CHECK_EQ(ax_learner_train(ctx, AX_STR("logistic"), &input, &result), AX_INVALID);
        if (!strstr(ctx->error, bent[i].words))
            ax_test_failed(__FILE__, __LINE__, "case %zu: %s", i, ctx->error);
        input = (struct ax_learner_input){
            .train = &sound.frame, .validation = &table.frame, .thread_count = 1};
        CHECK_EQ(ax_learner_train(ctx, AX_STR("logistic"), &input, &result), AX_INVALID);
    }
    make_table(&table);
    table.columns[0].name = AX_STR("income");
    const struct ax_learner_input input = {
        .train = &sound.frame, .validation = &table.frame, .thread_count = 1};
    CHECK_EQ(ax_learner_train(ctx, AX_STR("logistic"), &input, &result), AX_INVALID);
    CHECK(strstr(ctx->error, "validation rows have other columns than training rows"));
    CHECK(result.model.at == NULL);
}

TEST(learner_checks_rows_before_anybody_indexes_by_them)
{
    ax_test_with_ctx(rows_body);
}

static void
names_body(struct ax_ctx *ctx)
{
    static const char *const names[] = {"xgboost", "scorecard", "logistic"};
    for (size_t i = 0; i < AX_COUNT_OF(names); i++) {
        const struct ax_learner_ops *ops = ax_learner_find(ax_str_of(names[i]));
        CHECK(ops && strcmp(ops->name, names[i]) == 0);
    }
    CHECK(ax_learner_find(AX_STR("")) == NULL && ax_learner_find(AX_STR("xgboos")) == NULL);
    struct table table;
    make_table(&table);
    const struct ax_learner_input input = {.train = &table.frame, .thread_count = 1};
    struct ax_learner_result result = {};
    CHECK_EQ(ax_learner_train(ctx, AX_STR("oracle"), &input, &result), AX_NOT_FOUND);
    CHECK(strstr(ctx->error, "there is no learner `oracle`"));
    CHECK_EQ(ax_learner_train(ctx, AX_STR("logistic"), &input, &result), AX_OK);
    CHECK_EQ(result.probe_count, ROWS);
}

TEST(learner_is_found_by_its_name)
{
    ax_test_with_ctx(names_body);
}
