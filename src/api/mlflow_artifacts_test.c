#include "mlflow_case.h"

#define PROXY "/api/2.0/mlflow-artifacts/"

static void
artifacts(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {VIC, "PUT " PROXY "artifacts/0/RUN_ID/artifacts/d/a.txt", "x", 403, "PERMISSION_DENIED"},
        {DANA, "PUT " PROXY "artifacts/0/RUN_ID/artifacts/d/a.txt", "hello", 200, "{}"},
        {DANA, "PUT " PROXY "artifacts/%2e%2e/x", "a", 400, "Invalid path"},
        {DANA, "GET " PROXY "artifacts/0/RUN_ID/artifacts/d/a.txt", "", 200, "hello"},
        {NOBODY, "GET " PROXY "artifacts/0/RUN_ID/artifacts/d/a.txt", "", 401, "UNAUTHENTICATED"},
        {DANA, "GET " PROXY "artifacts/no/such", "", 404, "No such artifact: 'no/such'"},
        {DANA, "GET " PROXY "artifacts?path=0/RUN_ID/artifacts", "", 200,
         "{\"files\":[{\"path\":\"d\",\"is_dir\":true}]}"},
        {DANA, "GET " PROXY "artifacts?path=none", "", 200, "{}"},
        {DANA, "GET " MLFLOW_API "artifacts/list?run_id=RUN_ID&path=d", "", 200,
         "{\"path\":\"d/a.txt\",\"is_dir\":false,\"file_size\":5}"},
        {DANA, "GET " MLFLOW_API "artifacts/list?run_id=RUN_ID&path=../x", "", 400, "Invalid path"},
        {DANA, "GET " MLFLOW_API "artifacts/list?run_id=none", "", 404, "Run with id=none"},
        {DANA, "GET /get-artifact?run_uuid=RUN_ID&path=d/a.txt", "", 200, "hello"},
        {DANA, "GET /get-artifact?run_id=RUN_ID", "", 400, "'path'"},
        {DANA, "GET /model-versions/get-artifact?name=x&version=1&path=a", "", 404, "not found"},
        {DANA, "GET /model-versions/get-artifact?name=x&version=1&path=../a", "", 400,
         "Invalid path"},
        {DANA, "POST " MLFLOW_API "upload-artifact?path=up.txt", "bytes", 400,
         "Request must specify run_uuid."},
        {DANA, "POST " MLFLOW_API "upload-artifact?run_uuid=RUN_ID&path=", "bytes", 400,
         "Request must specify path."},
        {DANA, "POST " MLFLOW_API "upload-artifact?run_uuid=RUN_ID&path=../up.txt", "", 400,
         "Invalid path"},
        {DANA, "POST " MLFLOW_API "upload-artifact?run_uuid=RUN_ID&path=up.txt", "", 400,
         "Request must specify data."},
        {DANA, "POST " MLFLOW_API "upload-artifact?run_uuid=RUN_ID&path=up.txt", "bytes", 200,
         "{}"},
        {DANA, "GET /get-artifact?run_id=RUN_ID&path=up.txt", "", 200, "bytes"},
        {DANA, "POST " MLFLOW_API "artifacts/presigned-upload-url", "{}", 400, "Presigned"},
        {DANA, "GET " PROXY "presigned/x", "", 501, "Multipart download is not supported"},
        {DANA, "POST " PROXY "mpu/create/x", "{\"path\":\"f\",\"num_parts\":0}", 400, "num_parts"},
        {NOBODY, "PUT " PROXY "mpu/part/00000000000000000000000000000000/1", "x", 404, "no such"},
        {DANA, "POST " PROXY "mpu/complete/x", "{\"path\":\"f\",\"upload_id\":\"x\"}", 404,
         "no such"},
        {DANA, "DELETE " PROXY "artifacts/0/RUN_ID", "", 200, "{}"},
        {DANA, "DELETE " PROXY "artifacts/0/RUN_ID", "", 200, "{}"},
    };
    mlflow_case_begin(at);
    ax_str id = mlflow_case_run(ctx, at, "r");
    MLFLOW_CASE_TABLE(ctx, at, id, rows);
}

TEST(artifacts_over_mlflows_api)
{
    api_case_run(artifacts);
}

static void
ranges(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct {
        const char *range;
        int status;
        const char *body;
    } cases[] = {
        {"bytes=1-2", 206, "el"},     {"bytes=3-", 206, "lo"},     {"bytes=-2", 206, "lo"},
        {"bytes=0-99", 206, "hello"}, {"bytes=-99", 206, "hello"}, {"bytes=5-", 416, ""},
        {"bytes=x", 200, "hello"},    {"bytes=-", 200, "hello"},   {"items=1-2", 200, "hello"},
    };
    CHECK_EQ(
        api_case_ask(ctx, at, DANA, "PUT " PROXY "artifacts/a%20b.txt", AX_STR("hello")).status,
        200);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        at->header = (struct ax_http_header){AX_STR("Range"), ax_str_of(cases[i].range)};
        struct api_case_answer answer =
            api_case_ask(ctx, at, DANA, "GET " PROXY "artifacts/a%20b.txt", AX_STR(""));
        CHECK_EQ(answer.status, cases[i].status);
        CHECK_STR(answer.body, cases[i].body);
    }
}

TEST(artifacts_are_given_in_ranges)
{
    api_case_run(ranges);
}

static void
parts(struct ax_ctx *ctx, struct api_case *at)
{
    mlflow_case_begin(at);
    struct api_case_answer made = api_case_ask(ctx, at, DANA, "POST " PROXY "mpu/create/d",
                                               AX_STR("{\"path\":\"/tmp/f.bin\",\"num_parts\":2}"));
    ax_str id = api_case_text(&made, "upload_id");
    CHECK_EQ(made.status, 200);
    CHECK(api_case_says(&made, "\"part_number\":2"));
    for (int i = 2; i >= 1; i--)
        CHECK_EQ(api_case_ask(
                     ctx, at, NOBODY,
                     ax_str_c(ctx->arena, ax_str_printf(ctx->arena, "PUT " PROXY "mpu/part/%.*s/%d",
                                                        AX_FMT(id), i)),
                     i == 1 ? AX_STR("one ") : AX_STR("two"))
                     .status,
                 200);
    ax_str body = ax_str_printf(ctx->arena,
                                "{\"path\":\"f.bin\",\"upload_id\":\"%.*s\",\"parts\":[{"
                                "\"part_number\":1},{\"part_number\":2}]}",
                                AX_FMT(id));
    CHECK_EQ(api_case_ask(ctx, at, DANA, "POST " PROXY "mpu/complete/d", body).status, 200);
    CHECK_STR(api_case_ask(ctx, at, DANA, "GET " PROXY "artifacts/d/f.bin", AX_STR("")).body,
              "one two");
}

TEST(an_upload_in_parts_is_one_file)
{
    api_case_run(parts);
}

/* Larger than what is gathered: taken in pieces, and sent as a file. */
static void
large(struct ax_ctx *ctx, struct api_case *at)
{
    enum { BYTES = 3'000'001 };
    char *bytes = ax_arena_alloc(ctx->arena, 1, BYTES);
    ax_str all = {bytes, BYTES};
    const char *path = "PUT " PROXY "artifacts/large.bin";
    REQUIRE(bytes != NULL);
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 31 >> 3);
    CHECK_EQ(api_case_ask(ctx, at, VIC, path, all).status, 403);
    CHECK_EQ(api_case_ask(ctx, at, DANA, "PUT " PROXY "artifacts/%2e%2e/x", all).status, 400);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(api_case_ask(ctx, at, DANA, path, all).status, 200);
        CHECK(ax_str_eq(
            api_case_ask(ctx, at, DANA, "GET " PROXY "artifacts/large.bin", AX_STR("")).body, all));
    }
    struct api_case_answer head =
        api_case_ask(ctx, at, DANA, "HEAD " PROXY "artifacts/large.bin", AX_STR(""));
    CHECK_EQ(head.status, 200);
    CHECK_EQ(head.body.len, 0);
    at->header = (struct ax_http_header){AX_STR("Range"), AX_STR("bytes=1000000-1999999")};
    struct api_case_answer part =
        api_case_ask(ctx, at, DANA, "GET " PROXY "artifacts/large.bin", AX_STR(""));
    CHECK_EQ(part.status, 206);
    CHECK(ax_str_eq(part.body, (ax_str){bytes + 1'000'000, 1'000'000}));
}

TEST(artifacts_of_any_length_go_in_and_out)
{
    api_case_run(large);
}
