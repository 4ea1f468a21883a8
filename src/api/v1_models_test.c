#include "api_case.h"

static ax_str
model_file(struct ax_ctx *ctx, const char *path)
{
    ax_str bytes = AX_STR("");
    CHECK_EQ(ax_file_read_all(ctx, ax_str_of(path), 1 << 20, &bytes), AX_OK);
    return bytes;
}

/* ---- models and versions ---- */

static void
models(struct ax_ctx *ctx, struct api_case *at)
{
    static const char record[] =
        "{\"name\":\"credit\",\"owner\":\"dana\",\"purpose\":\"loans to people\"}";
    static const struct api_case_row rows[] = {
        {DANA, "GET /api/v1/models", "", 200, "{\"models\":[]}"},
        {VIC, "POST /api/v1/models", record, 403, "vic (validator) may not change models"},
        {DANA, "POST /api/v1/models", "{\"name\":\"credit\"}", 400, "owner"},
        {DANA, "POST /api/v1/models", "{\"name\":\"a b\",\"owner\":\"d\",\"purpose\":\"p\"}", 400,
         "a model's name has 1 to"},
        {DANA, "POST /api/v1/models", record, 201, "\"name\":\"credit\""},
        {DANA, "POST /api/v1/models", record, 409, "there is a model \\\"credit\\\" already"},
        {LEX, "GET /api/v1/models", "", 200, "\"credit\""},
        {SAM, "GET /api/v1/models", "", 403, "denied"},
        {LEX, "GET /api/v1/models/credit", "", 200, "loans to people"},
        {LEX, "GET /api/v1/models/debit", "", 404, "no model \\\"debit\\\""},
        {DANA, "PATCH /api/v1/models/credit", "{\"purpose\":\"loans to firms\"}", 200, "to firms"},
        {DANA, "PATCH /api/v1/models/credit", "{\"tier\":3}", 403, "`tier` changes by a proposal"},
        {DANA, "PATCH /api/v1/models/debit", "{\"purpose\":\"x\"}", 404, "no model"},
        {ADA, "PATCH /api/v1/models/credit", "{\"purpose\":\"x\"}", 403, "denied"},
        {LEX, "GET /api/v1/inventory", "", 200, "loans to firms"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(r2_a_model_is_made_shown_and_changed)
{
    api_case_run(models);
}

static void
versions(struct ax_ctx *ctx, struct api_case *at)
{
    static const char line[] = "POST /api/v1/models/credit/versions";
    static const struct api_case_row before[] = {
        {DANA, line, "", 400, "the body is empty; a bundle or a model file is expected"},
        {DANA, line, "no model at all", 400, "\"code\":\"invalid\""},
        {DANA, "POST /api/v1/models/debit/versions", "{}", 404, "no model \\\"debit\\\""},
        {ADA, line, "{}", 403, "denied"},
    };
    static const struct api_case_row after[] = {
        {LEX, "GET /api/v1/models/credit/versions/1", "", 200, "\"state\":\"registered\""},
        {LEX, "GET /api/v1/models/credit/versions/3", "", 404, "no version credit/3"},
        {LEX, "GET /api/v1/models/credit/versions/1/bundle", "", 200, "{\"axiom_bundle\":1,"},
        {LEX, "GET /api/v1/models/credit/versions/3/bundle", "", 404, "no version credit/3"},
        {SAM, "GET /api/v1/models/credit/versions/1/bundle", "", 403, "denied"},
        {LEX, "GET /api/v1/models/credit", "", 200, "\"version\":2"},
    };
    CHECK_EQ(mlops_case_create(ctx, &at->mlops, "credit"), AX_OK);
    API_CASE_TABLE(ctx, at, before);
    struct api_case_answer first =
        api_case_ask(ctx, at, DANA, line, model_file(ctx, "tests/model/small/xgboost.ubj"));
    CHECK_EQ(first.status, 201);
    CHECK_STR(api_case_text(&first, "model"), "credit");
    CHECK_EQ(api_case_number(&first, "version"), 1);
    CHECK_STR(api_case_text(&first, "format"), "xgboost-ubjson");
    CHECK_EQ(api_case_text(&first, "digest").len, AX_DIGEST_HEX_BYTES);
    CHECK_EQ(ax_json_count(ax_json_find(first.json, "inputs")), 3);
    CHECK_EQ(ax_json_count(ax_json_find(first.json, "outputs")), 5);
    struct api_case_answer second =
        api_case_ask(ctx, at, DANA, line, model_file(ctx, "tests/model/small/scorecard.json"));
    CHECK_EQ(second.status, 201);
    CHECK_EQ(api_case_number(&second, "version"), 2);
    API_CASE_TABLE(ctx, at, after);

    /* What was downloaded is the version itself: brought to another model it has its digest. */
    struct api_case_answer bundle =
        api_case_ask(ctx, at, DANA, "GET /api/v1/models/credit/versions/1/bundle", AX_STR(""));
    CHECK_EQ(mlops_case_create(ctx, &at->mlops, "copy"), AX_OK);
    struct api_case_answer copy =
        api_case_ask(ctx, at, DANA, "POST /api/v1/models/copy/versions", bundle.body);
    CHECK_EQ(copy.status, 201);
    CHECK(ax_str_eq(api_case_text(&copy, "digest"), api_case_text(&first, "digest")));
}

TEST(r107_a_version_is_registered_by_its_bytes_and_downloaded_as_it_is)
{
    api_case_run(versions);
}

/* ---- datasets and training ---- */

/* {"schema":..,"csv":..,"seed":7}: people whose age tells, nearly, who repays. */
static ax_str
people(struct ax_ctx *ctx)
{
    static const char *const jobs[] = {"clerk", "cook", "driver", "nurse"};
    ax_str body = AX_STR("");
    ax_writer_auto struct ax_writer csv = ax_writer_of(1 << 20), text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_writer_text(&csv, "age,income,job,repaid\n");
    for (int i = 0; i < 400; i++)
        ax_writer_print(&csv, "%d,%d,%s,%s\n", 18 + i * 7 % 60, 500 + i * 13 % 2'000, jobs[i % 4],
                        (i * 7 % 60 + i % 9 * 5) % 71 < 30 ? "bad" : "good");
    ax_json_begin_object(&json);
    ax_json_key(&json, "schema");
    ax_json_put_raw(&json, AX_STR("{\"name\":\"people\",\"target\":{\"column\":\"repaid\","
                                  "\"positive\":\"bad\"}}"));
    ax_json_member_text(&json, "csv", ax_writer_str(&csv));
    ax_json_member_i64(&json, "seed", 7);
    ax_json_end_object(&json);
    CHECK_EQ(ax_writer_take(&text, ctx->arena, &body), AX_OK);
    return body;
}

static void
datasets(struct ax_ctx *ctx, struct api_case *at)
{
    static const char line[] = "POST /api/v1/datasets";
    const char *body = ax_str_c(ctx->arena, people(ctx));
    const struct api_case_row rows[] = {
        {DANA, "GET /api/v1/datasets", "", 200, "{\"datasets\":[]}"},
        {VIC, line, body, 403, "may not change models, data sets or training runs"},
        {DANA, line, "{}", 400, "`schema` is missing"},
        {DANA, line, "{\"schema\":{},\"csv\":7,\"seed\":1}", 400, "`csv` must be a string"},
        {DANA, line, "{\"schema\":{},\"csv\":\"a\\n1\\n\"}", 400, "`seed` is missing"},
        {DANA, line, "{\"schema\":{},\"csv\":\"a\\n1\\n\",\"seed\":1}", 400, "invalid"},
        {DANA, line,
         "{\"schema\":{\"name\":\"p\",\"target\":{\"column\":\"y\",\"positive\":\"b\"}},\"csv\":"
         "\"x,y\\n1,a\\n2\\n\",\"seed\":1}",
         400, "row"},
        {DANA, line, body, 201, "\"version\":1"},
        {DANA, line, body, 201, "\"version\":1"}, /* the same rows are the same version */
        {LEX, "GET /api/v1/datasets", "", 200, "\"people\""},
        {LEX, "GET /api/v1/datasets/people", "", 200, "\"rows\":400"},
        {LEX, "GET /api/v1/datasets/animals", "", 404, "no dataset \\\"animals\\\""},
        {LEX, "GET /api/v1/datasets/people/versions/1", "", 200, "\"name\":\"income\""},
        {LEX, "GET /api/v1/datasets/people/versions/2", "", 404, "version 2"},
        {LEX, "GET /api/v1/datasets/people/versions/1/rows?part=held_out", "", 200,
         "\"part\":\"held_out\""},
        {LEX, "GET /api/v1/datasets/people/versions/1/rows?part=all", "", 400,
         "`part` must be train, validation or held_out"},
        {LEX, "GET /api/v1/datasets/people/versions/1/rows", "", 400, "`part` must be train"},
        {SAM, "GET /api/v1/datasets/people", "", 403, "denied"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

TEST(a_dataset_is_read_whole_or_refused_with_its_row)
{
    api_case_run(datasets);
}

/* A learner that dies is a failed run, which is kept and told. */
static void
training(struct ax_ctx *ctx, struct api_case *at)
{
    static const char task[] = "{\"model\":\"credit\",\"dataset\":\"people\",\"learner\":"
                               "\"scorecard\",\"seed\":7}";
    static const char line[] = "POST /api/v1/training-runs";
    static const struct api_case_row rows[] = {
        {VIC, line, task, 403, "denied"},
        {DANA, line, "{}", 400, "is missing"},
        {DANA, line, "{\"model\":\"credit\",\"dataset\":\"people\",\"learner\":\"oracle\"}", 400,
         "there is no learner \\\"oracle\\\""},
        {DANA, line, "{\"model\":\"debit\",\"dataset\":\"people\",\"learner\":\"scorecard\"}", 404,
         "no model \\\"debit\\\""},
        {DANA, line, "{\"model\":\"credit\",\"dataset\":\"none\",\"learner\":\"scorecard\"}", 404,
         "no dataset \\\"none\\\""},
        {LEX, "GET /api/v1/training-runs/r_none", "", 404, "no training run \\\"r_none\\\""},
    };
    CHECK_EQ(mlops_case_create(ctx, &at->mlops, "credit"), AX_OK);
    CHECK_EQ(api_case_ask(ctx, at, DANA, "POST /api/v1/datasets", people(ctx)).status, 201);
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer died = api_case_ask(ctx, at, DANA, line, ax_str_of(task));
    CHECK(died.status >= 400);
    ax_str detail = api_case_text(&died, "detail"), id;
    size_t place = ax_str_find(detail, AX_STR("training run "));
    REQUIRE(place != SIZE_MAX);
    detail = ax_str_from(detail, place + strlen("training run "));
    CHECK(ax_str_cut(&detail, ':', &id));
    const char *show = API_CASE_LINE(ctx, "GET /api/v1/training-runs/%.*s", id);
    const struct api_case_row shown[] = {
        {LEX, show, "", 200, "\"state\":\"failed\""},
        {LEX, show, "", 200, "\"started_by\":\"dana\""},
    };
    API_CASE_TABLE(ctx, at, shown);
}

TEST(a_training_run_that_fails_is_kept_and_told)
{
    api_case_run(training);
}

/* ---- validation ---- */

static void
register_trained(struct ax_ctx *ctx, struct api_case *at)
{
    struct api_case_answer data = api_case_ask(ctx, at, DANA, "POST /api/v1/datasets", people(ctx));
    ax_str lineage =
        ax_str_printf(ctx->arena, "{\"dataset\":\"people\",\"dataset_digest\":\"%.*s\"}",
                      AX_FMT(api_case_text(&data, "digest")));
    ax_str bundle = AX_STR("");
    CHECK_EQ(data.status, 201);
    CHECK_EQ(mlops_case_create(ctx, &at->mlops, "credit"), AX_OK);
    CHECK_EQ(deployed_case_bundle(ctx, lineage, &bundle), AX_OK);
    CHECK_EQ(api_case_ask(ctx, at, DANA, "POST /api/v1/models/credit/versions", bundle).status,
             201);
}

/* The first member of findings. */
static ax_str
first_finding(const struct api_case_answer *answer)
{
    struct ax_json_iter findings = ax_json_iter_of(ax_json_find(answer->json, "findings"));
    ax_str id = AX_STR("none");
    bool found = ax_json_next(&findings) && ax_json_text(ax_json_find(findings.value, "id"), &id);
    return found ? id : AX_STR("none");
}

static void
validated(struct ax_ctx *ctx, struct api_case *at)
{
    static const char begin[] = "POST /api/v1/validations";
    static const char plan[] = "{\"model\":\"credit\",\"version\":1,\"plan\":{\"tests\":{\"auc\":"
                               "{\"min\":0.99}},\"cutoff\":0.35,\"seed\":1}}";
    static const char passed[] = "{\"conclusion\":\"passed\",\"comment\":\"sound\"}";
    static const struct api_case_row before[] = {
        {DANA, begin, plan, 403, "dana (developer) may not validate a model"},
        {VIC, begin, "{}", 400, "is missing"},
        {VIC, begin, "{\"model\":\"credit\",\"version\":2}", 404, "no version credit/2"},
        {VIC, begin, "{\"model\":\"credit\",\"version\":1,\"plan\":{\"tests\":{\"luck\":{}}}}", 400,
         "luck"},
        {VIC, "POST /api/v1/validations/v_none/run", "", 404, "no validation \\\"v_none\\\""},
        {VIC, "POST /api/v1/validations/v_none/conclude", passed, 404, "no validation"},
        {LEX, "GET /api/v1/validations/v_none", "", 404, "no validation"},
        {VIC, "POST /api/v1/findings/f_none/close", "{\"evidence\":\"x\"}", 404, "no finding"},
    };
    register_trained(ctx, at);
    API_CASE_TABLE(ctx, at, before);
    struct api_case_answer made = api_case_ask(ctx, at, VIC, begin, ax_str_of(plan));
    CHECK_EQ(made.status, 201);
    CHECK_STR(api_case_text(&made, "state"), "fixed");
    CHECK_EQ(api_case_text(&made, "plan_digest").len, AX_DIGEST_HEX_BYTES);
    ax_str id = api_case_text(&made, "id");
    const char *show = API_CASE_LINE(ctx, "GET /api/v1/validations/%.*s", id);
    const char *run = API_CASE_LINE(ctx, "POST /api/v1/validations/%.*s/run", id);
    const char *conclude = API_CASE_LINE(ctx, "POST /api/v1/validations/%.*s/conclude", id);
    struct api_case_answer results = api_case_ask(ctx, at, VIC, run, AX_STR(""));
    CHECK_EQ(results.status, 200);
    CHECK(api_case_says(&results, "\"verdict\":\"fail\""));
    const char *close =
        API_CASE_LINE(ctx, "POST /api/v1/findings/%.*s/close", first_finding(&results));
    const struct api_case_row after[] = {
        {LEX, show, "", 200, "\"state\":\"run\""},
        {VIC, run, "", 409, "is run"},
        {DANA, conclude, passed, 403, "denied"},
        {VIC, conclude, "{\"conclusion\":\"fine\"}", 400, "must be passed or failed"},
        {VIC, conclude, passed, 409, "open: the validation cannot be passed"},
        {DANA, close, "{\"evidence\":\"refitted\"}", 403, "denied"},
        {VIC, close, "{}", 400, "`evidence` is missing"},
        {VIC, close, "{\"evidence\":\"refitted, see run r_7\"}", 200, "\"state\":\"closed\""},
        {VIC, close, "{\"evidence\":\"again\"}", 409, "is closed already"},
        {VIC, conclude, passed, 200, "\"state\":\"concluded\""},
        {VIC, conclude, passed, 409, "is concluded"},
        {LEX, "GET /api/v1/models/credit/versions/1", "", 200, "\"state\":\"validated\""},
    };
    API_CASE_TABLE(ctx, at, after);
}

TEST(r20_r34_a_validation_is_fixed_run_once_and_concluded_when_no_finding_is_open)
{
    api_case_run(validated);
}
