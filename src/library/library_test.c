#include <axiom.h>
#include <math.h>

#include "harness.h"
#include "sys/workers.h"

#define SMALL "tests/model/small/"

static void
check_ok(axiom_status status, const axiom_error *error)
{
    if (status != AXIOM_OK)
        ax_test_failed(__FILE__, __LINE__, "%s", error->text);
}

TEST(library_opens_a_model_and_says_what_it_is)
{
    axiom_model *model = NULL;
    axiom_error error = {};
    check_ok(axiom_model_open(SMALL "xgboost.json", &model, &error), &error);
    REQUIRE(model != NULL);
    const axiom_signature *signature = axiom_model_signature(model);
    CHECK_STR(ax_str_of(signature->format), "xgboost-json");
    CHECK_STR(ax_str_of(signature->kind), "trees");
    CHECK_EQ(signature->feature_count, 3);
    CHECK_STR(ax_str_of(signature->features[2].name), "job");
    CHECK(signature->features[2].categorical && signature->features[2].category_count > 0);
    CHECK_EQ(axiom_model_category(model, 2, signature->features[2].categories[1]), 1);
    CHECK_EQ(axiom_model_category(model, 2, "pilot"), -1);
    CHECK(signature->memory_bytes > 0 && signature->float32);
    CHECK(axiom_version()[0] >= '0' && axiom_version()[0] <= '9');
    axiom_model_close(model);
    axiom_model_close(NULL);
    axiom_scorer_close(NULL);
}

TEST(library_refuses_with_a_sentence)
{
    axiom_model *model = NULL;
    axiom_error error = {};
    CHECK_EQ(axiom_model_open("no/such/file", &model, &error), AXIOM_NOT_FOUND);
    CHECK(strstr(error.text, "no/such/file") != NULL);
    CHECK_EQ(axiom_model_read("{}", 2, &model, &error), AXIOM_INVALID);
    CHECK_EQ(error.status, AXIOM_INVALID);
    CHECK(strlen(error.text) > 10);
    CHECK_EQ(axiom_model_read("CBM1", 4, &model, NULL), AXIOM_UNSUPPORTED);
    CHECK(model == NULL);
}

static axiom_scorer *
scorer_of(const axiom_model *model, unsigned outputs, const axiom_rows *references)
{
    axiom_scorer *scorer = NULL;
    axiom_error error = {};
    check_ok(axiom_scorer_open(model, outputs, references, &scorer, &error), &error);
    return scorer;
}

TEST(library_scores_rows_however_they_lie)
{
    static const double dense[] = {41, 1200.5, 1, 20, 100, 0, (double)NAN, 5, -999};
    static const float columns[] = {41, 20, (float)NAN, 1200.5f, 100, 5, 1, 0, -999};
    double response[3], margin[3], contributions[12], again[3], one = 0;
    int32_t leaf[300];
    axiom_model *model = NULL;
    axiom_error error = {};
    check_ok(axiom_model_open(SMALL "xgboost.json", &model, &error), &error);
    REQUIRE(model != NULL);
    CHECK(axiom_model_signature(model)->tree_count <= 100);
    axiom_scorer *all =
        scorer_of(model, AXIOM_RESPONSE | AXIOM_MARGIN | AXIOM_CONTRIBUTIONS | AXIOM_LEAF, NULL);
    axiom_scorer *plain = scorer_of(model, AXIOM_RESPONSE, NULL);
    REQUIRE(all && plain);
    const axiom_rows rows = {.at = dense, .count = 3, .missing_given = 1, .missing = -999};
    const axiom_rows turned = {.at = columns,
                               .count = 3,
                               .row_stride = sizeof(float),
                               .column_stride = 3 * sizeof(float),
                               .float32 = 1,
                               .missing_given = 1,
                               .missing = -999};
    const axiom_answer answer = {response, margin, contributions, leaf};
    check_ok(axiom_score(all, &rows, &answer, &error), &error);
    check_ok(axiom_score(plain, &turned, &(axiom_answer){.response = again}, &error), &error);
    CHECK(memcmp(response, again, sizeof response) == 0);
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < 4; k++)
            sum += contributions[4 * i + k];
        CHECK(fabs(sum - margin[i]) < 1e-5); /* margins are float32 sums */
    }
    CHECK_EQ(axiom_score_row_f64(plain, dense, &one), AXIOM_OK);
    CHECK(one == response[0]);
    static const float narrow[] = {41, 1200.5f, 1};
    CHECK_EQ(axiom_score_row_f32(plain, narrow, &one), AXIOM_OK);
    CHECK(one == response[0]);
    axiom_scorer_close(all);
    axiom_scorer_close(plain);
    axiom_model_close(model);
}

TEST(library_adds_in_the_order_that_its_scorer_is_set_to)
{
    static const double dense[] = {41, 1200.5, 1, 20, 100, 0, (double)NAN, 5, 2};
    double exact[3], fast[3], again[3], one = 0;
    axiom_model *model = NULL;
    axiom_error error = {};
    check_ok(axiom_model_open(SMALL "xgboost.json", &model, &error), &error);
    REQUIRE(model != NULL);
    axiom_scorer *scorer = scorer_of(model, AXIOM_RESPONSE, NULL);
    REQUIRE(scorer);
    const axiom_rows rows = {.at = dense, .count = 3};
    check_ok(axiom_score(scorer, &rows, &(axiom_answer){.response = exact}, &error), &error);
    axiom_scorer_fast(scorer, 1);
    check_ok(axiom_score(scorer, &rows, &(axiom_answer){.response = fast}, &error), &error);
    for (int i = 0; i < 3; i++) {
        CHECK(fabs(fast[i] - exact[i]) < 1e-6);
        CHECK_EQ(axiom_score_row_f64(scorer, dense + 3 * i, &one), AXIOM_OK);
        CHECK(one == fast[i]);
    }
    axiom_scorer_fast(scorer, 0);
    check_ok(axiom_score(scorer, &rows, &(axiom_answer){.response = again}, &error), &error);
    CHECK(memcmp(exact, again, sizeof exact) == 0);
    axiom_scorer_close(scorer);
    axiom_model_close(model);
}

/* What is allowed makes calls quicker, and no answer another. */
TEST(library_scores_alike_whatever_kernels_are_allowed)
{
    enum { MANY = 400 };
    static double dense[3 * MANY], want[MANY], got[MANY];
    axiom_model *model = NULL;
    axiom_error error = {};
    for (size_t i = 0; i < MANY; i++) {
        dense[3 * i] = (double)(i % 80);
        dense[3 * i + 1] = (double)(i * 7 % 2000);
        dense[3 * i + 2] = (double)(i % 4);
    }
    const axiom_rows rows = {.at = dense, .count = MANY};
    for (unsigned allowed = 0; allowed < 4; allowed++) {
        check_ok(axiom_model_open_with(SMALL "xgboost.json", allowed, &model, &error), &error);
        REQUIRE(model != NULL);
        axiom_scorer *scorer = scorer_of(model, AXIOM_RESPONSE, NULL);
        REQUIRE(scorer != NULL);
        check_ok(axiom_score(scorer, &rows, &(axiom_answer){.response = got}, &error), &error);
        if (allowed == 0)
            memcpy(want, got, sizeof want);
        CHECK(memcmp(want, got, sizeof want) == 0);
        CHECK_EQ(axiom_score_row_f64(scorer, dense, &got[0]), AXIOM_OK);
        CHECK(got[0] == want[0]);
        axiom_scorer_close(scorer);
        axiom_model_close(model);
    }
    CHECK_EQ(axiom_model_open_with(SMALL "xgboost.json", 4, &model, &error), AXIOM_INVALID);
    CHECK(strstr(error.text, "allowed is 4; this library knows 1 and 2"));
}

TEST(library_gives_interactions_of_pairs)
{
    static const double row[] = {41, 1200.5, 1};
    double contributions[4], pairs[16];
    axiom_model *model = NULL;
    axiom_scorer *none = NULL;
    axiom_error error = {};
    check_ok(axiom_model_open(SMALL "xgboost.json", &model, &error), &error);
    REQUIRE(model != NULL);
    const axiom_rows rows = {.at = row, .count = 1};
    axiom_scorer *scorer = scorer_of(model, AXIOM_CONTRIBUTIONS | AXIOM_INTERACTIONS, NULL);
    REQUIRE(scorer != NULL);
    const axiom_answer answer = {.contributions = contributions, .interactions = pairs};
    check_ok(axiom_score(scorer, &rows, &answer, &error), &error);
    for (int i = 0; i < 4; i++) {
        double sum = pairs[4 * i] + pairs[4 * i + 1] + pairs[4 * i + 2] + pairs[4 * i + 3];
        CHECK(fabs(sum - contributions[i]) < 1e-12);
        CHECK(pairs[4 * i + 1] == pairs[4 + i]);
    }
    CHECK_EQ(axiom_scorer_open(model, AXIOM_INTERACTIONS, &rows, &none, &error), AXIOM_UNSUPPORTED);
    axiom_scorer_close(scorer);
    axiom_model_close(model);
}

TEST(library_compares_with_references_and_refuses_outputs_that_are_not_there)
{
    static const double references[] = {20, 100, 0, 60, 3000, 2};
    static const double row[] = {41, 1200.5, 1};
    double contributions[4], margin = 0, sum = 0;
    axiom_model *model = NULL;
    axiom_scorer *none = NULL;
    axiom_error error = {};
    check_ok(axiom_model_open(SMALL "xgboost.json", &model, &error), &error);
    REQUIRE(model != NULL);
    const axiom_rows people = {.at = references, .count = 2}, rows = {.at = row, .count = 1};
    axiom_scorer *scorer = scorer_of(model, AXIOM_CONTRIBUTIONS | AXIOM_MARGIN, &people);
    REQUIRE(scorer != NULL);
    check_ok(axiom_score(scorer, &rows,
                         &(axiom_answer){.contributions = contributions, .margin = &margin},
                         &error),
             &error);
    for (int k = 0; k < 4; k++)
        sum += contributions[k];
    CHECK(fabs(sum - margin) < 1e-5);
    CHECK_EQ(axiom_scorer_open(model, 0, NULL, &none, &error), AXIOM_UNSUPPORTED);
    CHECK_EQ(axiom_scorer_open(model, 64, NULL, &none, &error), AXIOM_UNSUPPORTED);
    CHECK_EQ(axiom_scorer_open(model, AXIOM_CONTRIBUTIONS, &(axiom_rows){.at = row}, &none, &error),
             AXIOM_INVALID);
    CHECK(none == NULL);
    axiom_scorer_close(scorer);
    axiom_model_close(model);
}

/* Many threads, one model: each with its own scorer, all with the same bits. */
static const axiom_model *shared;
static double expected;

static void
score_often(void *arg)
{
    static const double row[] = {41, 1200.5, 1};
    axiom_scorer *scorer = scorer_of(shared, AXIOM_RESPONSE, NULL);
    bool *same = arg;
    *same = scorer != NULL;
    for (int i = 0; scorer && i < 2'000; i++) {
        double response = 0;
        *same &= axiom_score_row_f64(scorer, row, &response) == AXIOM_OK && response == expected;
    }
    axiom_scorer_close(scorer);
}

static void
threads(struct ax_ctx *ctx)
{
    enum { THREADS = 4 };
    static const double row[] = {41, 1200.5, 1};
    bool same[THREADS] = {};
    struct ax_workers *workers;
    axiom_model *model = NULL;
    axiom_error error = {};
    check_ok(axiom_model_open(SMALL "xgboost.json", &model, &error), &error);
    REQUIRE(model != NULL);
    shared = model;
    axiom_scorer *scorer = scorer_of(model, AXIOM_RESPONSE, NULL);
    CHECK_EQ(axiom_score_row_f64(scorer, row, &expected), AXIOM_OK);
    axiom_scorer_close(scorer);
    CHECK_EQ(ax_workers_open(ctx, THREADS, THREADS, &workers), AX_OK);
    for (int i = 0; i < THREADS; i++)
        CHECK(ax_workers_submit(workers, score_often, &same[i]));
    ax_workers_close(workers);
    for (int i = 0; i < THREADS; i++)
        CHECK(same[i]);
    axiom_model_close(model);
}

TEST(library_models_are_shared_by_threads)
{
    ax_test_with_ctx(threads);
}

static ax_status
use_once(struct ax_ctx *ctx)
{
    static const double row[] = {41, 1200.5, 1};
    axiom_model *model = NULL;
    axiom_scorer *scorer = NULL;
    axiom_error error = {};
    double response = 0;
    axiom_status status = axiom_model_open(SMALL "xgboost.json", &model, &error);
    if (status == AXIOM_OK)
        status = axiom_scorer_open(model, AXIOM_RESPONSE, NULL, &scorer, &error);
    if (status == AXIOM_OK)
        status = axiom_score_row_f64(scorer, row, &response);
    axiom_scorer_close(scorer);
    axiom_model_close(model);
    return status == AXIOM_OK ? AX_OK : ax_fail(ctx, AX_LIMIT, "%s", error.text);
}

TEST(library_survives_every_fault)
{
    FAULT_SWEEP(use_once);
}
