#include "api/inference_body.h"

#include "api_case.h"
#include "base/number.h"

/* age, income, job of "dart", a model of three numbers. */
static const float row[] = {41, 1200.5f, 2};

static ax_str
with_tail(struct ax_ctx *ctx, const char *json, const void *tail, size_t len)
{
    char *body = ax_arena_alloc(ctx->arena, 1, strlen(json) + len + 1);
    CHECK(body != NULL);
    if (!body)
        return AX_STR("");
    memcpy(body, json, strlen(json));
    memcpy(body + strlen(json), tail, len);
    return (ax_str){body, strlen(json) + len};
}

static struct api_case_answer
ask(struct ax_ctx *ctx, struct api_case *at, const char *json, const void *tail, size_t len)
{
    at->header = (struct ax_http_header){AX_STR("Inference-Header-Content-Length"),
                                         ax_str_printf(ctx->arena, "%zu", strlen(json))};
    return api_case_ask(ctx, at, NOBODY, "POST /v2/models/dart/infer",
                        with_tail(ctx, json, tail, len));
}

static float
predicted(const struct api_case_answer *answer)
{
    double value = -1;
    struct ax_json_iter outputs = ax_json_iter_of(ax_json_find(answer->json, "outputs"));
    CHECK(ax_json_next(&outputs));
    struct ax_json_iter data = ax_json_iter_of(ax_json_find(outputs.value, "data"));
    CHECK(ax_json_next(&data) && ax_json_f64(data.value, &value));
    return (float)value;
}

static void
binary(struct ax_ctx *ctx, struct api_case *at)
{
    static const char in[] = "{\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":"
                             "[1,3],\"parameters\":{\"binary_data_size\":12}}]}";
    static const char both[] =
        "{\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":[1,3],\"parameters\":"
        "{\"binary_data_size\":12}}],\"parameters\":{\"binary_data_output\":true},\"outputs\":["
        "{\"name\":\"predict\"},{\"name\":\"margin\",\"parameters\":{\"binary_data\":false}}]}";
    struct api_case_answer json = ask(ctx, at, in, row, sizeof row);
    CHECK_EQ(json.status, 200);
    float want = predicted(&json), got = 0;
    struct api_case_answer answer = ask(ctx, at, both, row, sizeof row);
    CHECK_EQ(answer.status, 200);
    CHECK(api_case_says(&answer, "\"parameters\":{\"binary_data_size\":4}},{\"name\":\"margin\","
                                 "\"datatype\":\"FP32\",\"shape\":[1],\"data\":["));
    ax_str length = ax_client_header_find(&answer.whole, AX_STR("inference-header-content-length"));
    int64_t json_bytes = 0;
    CHECK(ax_parse_i64(length, &json_bytes));
    CHECK_EQ((int64_t)answer.body.len, json_bytes + 4);
    memcpy(&got, answer.body.at + json_bytes, sizeof got);
    CHECK(got == want);
    CHECK_STR(ax_client_header_find(&answer.whole, AX_STR("content-type")),
              "application/octet-stream");
}

TEST(inference_bodies_carry_tensors_as_bytes_both_ways)
{
    api_case_run_bare(binary);
}

static void
raw(struct ax_ctx *ctx, struct api_case *at)
{
    at->header = (struct ax_http_header){AX_STR("Inference-Header-Content-Length"), AX_STR("0")};
    ax_str bytes = {(const char *)row, sizeof row};
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "POST /v2/models/dart/infer", bytes);
    CHECK_EQ(answer.status, 200);
    CHECK(api_case_says(&answer, "\"binary_data_size\":4"));
    static const struct {
        const char *line;
        size_t len;
        const char *words;
    } refused[] = {
        {"POST /v2/models/dart/infer", 11,
         "input byte size mismatch for input 'input-0' for model 'dart'. Expected 12, got 11"},
        {"POST /v2/models/xgboost/infer", 12,
         "Raw request must only have 1 input (found 1) to be deduced but got 3 inputs in 'xgboost' "
         "model configuration"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(refused); i++) {
        answer = api_case_ask(ctx, at, NOBODY, refused[i].line,
                              (ax_str){(const char *)row, refused[i].len});
        CHECK_EQ(answer.status, 400);
        CHECK(api_case_says(&answer, refused[i].words));
    }
}

TEST(inference_bodies_may_be_one_inputs_bytes_alone)
{
    api_case_run_bare(raw);
}

static void
headers(struct ax_ctx *ctx, struct api_case *at)
{
    static const char *const lengths[] = {"-1", "x", "99999999999999999999", "3.5", "1000"};
    for (size_t i = 0; i < AX_COUNT_OF(lengths); i++) {
        at->header = (struct ax_http_header){AX_STR("Inference-Header-Content-Length"),
                                             ax_str_of(lengths[i])};
        struct api_case_answer answer =
            api_case_ask(ctx, at, NOBODY, "POST /v2/models/dart/infer", AX_STR("{\"inputs\":[]}"));
        CHECK_EQ(answer.status, 400);
        CHECK(api_case_says(&answer, "expected a whole number from 0 to the body's 13 bytes"));
    }
}

TEST(inference_bodies_refuse_a_wrong_length_of_the_json)
{
    api_case_run_bare(headers);
}
