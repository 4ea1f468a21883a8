#include "api/inference_decide.h"

#include "api_case.h"
#include "deployed_case.h"

#define COLUMNS                                                                                    \
    "{\"name\":\"age\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[41,20]},"                     \
    "{\"name\":\"income\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1200.5,700]},"             \
    "{\"name\":\"job\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"cook\",\"cook\"]}"
#define EVERYTHING                                                                                 \
    "\"outputs\":[{\"name\":\"predict\"},{\"name\":\"margin\"},{\"name\":\"score\"},"              \
    "{\"name\":\"outcome\"},{\"name\":\"reasons\"},{\"name\":\"decision_id\"}]"
#define ONE "\"age\":41,\"income\":1200.5,\"job\":\"cook\""

/* The record of one decision, as /api/v1 tells it. */
static void
check_record(struct ax_ctx *ctx, struct api_case *at, ax_str id, const char *entity)
{
    struct api_case_answer record = api_case_ask(
        ctx, at, SAM, API_CASE_LINE(ctx, "GET /api/v1/decisions/%.*s", id), AX_STR(""));
    CHECK_EQ(record.status, 200);
    CHECK(api_case_says(&record, "\"deployment\":\"loans\""));
    if (!api_case_says(&record, entity))
        ax_test_failed(__FILE__, __LINE__, "%.*s", AX_FMT(record.body));
    struct api_case_answer replay = api_case_ask(
        ctx, at, VIC, API_CASE_LINE(ctx, "POST /api/v1/decisions/%.*s/replay", id), AX_STR(""));
    CHECK_EQ(replay.status, 200);
    CHECK(api_case_says(&replay, "\"same\":true"));
    struct api_case_answer proof = api_case_ask(
        ctx, at, SAM, API_CASE_LINE(ctx, "GET /api/v1/decisions/%.*s/proof", id), AX_STR(""));
    CHECK_EQ(proof.status, 200);
}

/* Each dialect's request of a deployment leaves records that can be read, proved and replayed. */
static void
decided(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        const char *line, *body;
        size_t decisions;
        const char *words;
    } rows[] = {
        {"POST /v2/models/loans/infer", "{\"inputs\":[" COLUMNS "]," EVERYTHING "}", 2,
         "\"name\":\"outcome\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"refer\","},
        {"POST /v1/models/loans:predict", "{\"instances\":[{" ONE "}]}", 1, "{\"predictions\":["},
        {"POST /predictions/loans", "{" ONE "}", 1, "0."},
        {"POST /models/loans/invocations", "{\"dataframe_records\":[{" ONE "}]}", 1,
         "{\"predictions\":["},
    };
    deployed_case_make(ctx, &at->mlops);
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        at->header =
            i == 3 ? (struct ax_http_header){AX_STR("Content-Type"), AX_STR("application/json")}
                   : (struct ax_http_header){AX_STR("Axiom-Entity-Id"), AX_STR("e-7")};
        struct api_case_answer answer =
            api_case_ask(ctx, at, SAM, rows[i].line, ax_str_of(rows[i].body));
        CHECK_EQ(answer.status, 200);
        CHECK(api_case_says(&answer, rows[i].words));
        ax_str ids = ax_client_header_find(&answer.whole, AX_STR("axiom-decision-id")), id;
        size_t count = 0;
        for (; ids.len && ax_str_cut(&ids, ',', &id); count++) {
            at->header = (struct ax_http_header){};
            check_record(ctx, at, id, i == 3 ? "\"caller\":\"sam\"" : "e-7");
        }
        CHECK_EQ(count, rows[i].decisions);
    }
}

TEST(r57_r58_a_decision_in_any_dialect_is_read_proved_and_replayed)
{
    api_case_run(decided);
}

static void
same_numbers(struct ax_ctx *ctx, struct api_case *at)
{
    deployed_case_make(ctx, &at->mlops);
    struct api_case_answer native =
        api_case_ask(ctx, at, SAM, "POST /api/v1/deployments/loans/decisions",
                     AX_STR("{\"features\":{" ONE "}}"));
    double wanted = -1, got = -2;
    CHECK(ax_json_f64(ax_json_find(native.json, "probability"), &wanted));
    struct api_case_answer other = api_case_ask(ctx, at, SAM, "POST /v1/models/loans:predict",
                                                AX_STR("{\"instances\":[{" ONE "}]}"));
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(other.json, "predictions"));
    CHECK(ax_json_next(&it) && ax_json_f64(it.value, &got));
    CHECK((float)got == (float)wanted);
}

TEST(a_deployment_answers_alike_in_every_tongue)
{
    api_case_run(same_numbers);
}

static void
refused(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "POST /v2/models/loans/infer", "{\"inputs\":[" COLUMNS "]}", 401, "error"},
        {NEW, "POST /v2/models/loans/infer", "{\"inputs\":[" COLUMNS "]}", 403, "error"},
        {SAM, "POST /v2/models/credit/infer", "{\"inputs\":[" COLUMNS "]}", 403,
         "a client asks deployments, whose decisions are recorded; 'credit' is a version"},
        {SAM, "POST /v2/models/none/infer", "{\"inputs\":[" COLUMNS "]}", 404, "unknown model"},
        {SAM, "POST /v1/models/loans:predict",
         "{\"instances\":[{" ONE "},{\"age\":7,\"income\":1,"
         "\"job\":\"cook\"}]}",
         400, "row 1: feature `age` is 7, outside its domain 18 to 99"},
        {SAM, "POST /v1/models/loans:predict",
         "{\"instances\":[{\"age\":41,\"income\":Infinity,\"job\":\"cook\"}]}", 400,
         "row 0: feature `income` is not finite"},
        {SAM, "POST /v1/models/loans:explain", "{\"instances\":[{" ONE "}]}", 400,
         "output 'contributions' is not told of decisions"},
        /* Those who may not ask for decisions score the champion, and leave no record. */
        {DANA, "POST /v1/models/loans:predict", "{\"instances\":[{" ONE "}]}", 200,
         "{\"predictions\":["},
        {DANA, "POST /v2/models/credit/infer", "{\"inputs\":[" COLUMNS "]}", 200, "predict"},
        {DANA, "POST /v2/models/loans/infer",
         "{\"inputs\":[" COLUMNS "],\"outputs\":[{\"name\":\"outcome\"}]}", 400,
         "output 'outcome': only a client's decisions of a deployment have it"},
    };
    deployed_case_make(ctx, &at->mlops);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r1_clients_ask_deployments_and_nothing_behind_their_back)
{
    api_case_run(refused);
}

static void
too_many(struct ax_ctx *ctx, struct api_case *at)
{
    deployed_case_make(ctx, &at->mlops);
    ax_writer_auto struct ax_writer body = ax_writer_of(1 << 20);
    ax_writer_text(&body, "{\"instances\":[");
    for (int i = 0; i <= AX_INFERENCE_DECIDED_ROWS_MAX; i++)
        ax_writer_print(&body, "%s{" ONE "}", i ? "," : "");
    ax_writer_text(&body, "]}");
    struct api_case_answer answer =
        api_case_ask(ctx, at, SAM, "POST /v1/models/loans:predict", ax_writer_str(&body));
    CHECK_EQ(answer.status, 400);
    CHECK(api_case_says(&answer, "257 rows to decide about in one request; at most 256"));
    CHECK(!ax_client_header_find(&answer.whole, AX_STR("axiom-decision-id")).at);
}

TEST(a_request_decides_about_so_many_and_no_more)
{
    api_case_run(too_many);
}
