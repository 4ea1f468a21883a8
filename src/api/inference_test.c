#include "api/inference.h"

#include "api_case.h"

/* Requests of a version, as the statistics page tells them. */
static int64_t
counted(struct ax_ctx *ctx, struct api_case *at, const char *what)
{
    int64_t count = -1;
    struct api_case_answer answer =
        api_case_ask(ctx, at, NOBODY, "GET /v2/models/dart/stats", AX_STR(""));
    struct ax_json_iter it = ax_json_iter_of(ax_json_find(answer.json, "model_stats"));
    CHECK(ax_json_next(&it));
    const struct ax_json *stats = ax_json_find(it.value, "inference_stats");
    CHECK(ax_json_i64(ax_json_find(ax_json_find(stats, what), "count"), &count));
    return count;
}

/* Whatever the dialect, one path counts it: answered, refused, and on a worker alike. */
static void
counts(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        const char *line, *body;
        int status, success, fail;
    } rows[] = {
        {"POST /v2/models/dart/infer",
         "{\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":[1,2,0]"
         "}]}",
         200, 1, 0},
        {"POST /v1/models/dart:predict", "{\"instances\":[[1,2,0],[3,4,1]]}", 200, 2, 0},
        {"POST /predictions/dart", "[[1,2,0]]", 200, 3, 0},
        {"POST /v2/models/dart/infer",
         "{\"inputs\":[{\"name\":\"input-0\",\"datatype\":\"FP32\",\"shape\":[6,3],\"data\":[1,2,0,"
         "1,2,0,1,2,0,1,2,0,1,2,0,1,2,0]}],\"outputs\":[{\"name\":\"contributions\"}]}",
         200, 4, 0},
        {"POST /v1/models/dart:predict", "{\"instances\":[[1]]}", 400, 4, 1},
        {"POST /v1/models/none:predict", "{\"instances\":[[1,2,0]]}", 404, 4, 1},
    };
    for (size_t i = 0; i < AX_COUNT_OF(rows); i++) {
        struct api_case_answer answer =
            api_case_ask(ctx, at, NOBODY, rows[i].line, ax_str_of(rows[i].body));
        CHECK_EQ(answer.status, rows[i].status);
        CHECK_EQ(counted(ctx, at, "success"), rows[i].success);
        CHECK_EQ(counted(ctx, at, "fail"), rows[i].fail);
    }
}

TEST(inference_is_counted_alike_in_every_dialect)
{
    api_case_run_bare(counts);
}
