#include "mlops/registered_bundle.h"

#include "sys/file.h"
#include "tracking_case.h"

#define MODEL "tests/model/small/xgboost.json"

static const char mlmodel[] =
    "flavors:\n  python_function:\n    loader_module: mlflow.xgboost\n  xgboost:\n"
    "    data: model.json\n    model_class: xgboost.sklearn.XGBClassifier\n"
    "saved_input_example_info:\n  serving_input_path: example.json\n";
static const char sklearn[] = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n";
static const char example[] =
    "{\"dataframe_split\":{\"columns\":[\"income\",\"age\",\"job\"],"
    "\"data\":[[500,25,\"clerk\"],[2000,40,\"cook\"],[null,null,\"driver\"]]}}";

static void
put(struct ax_ctx *ctx, struct tracking_case *at, const char *path, const char *bytes)
{
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, ax_str_of(path), ax_str_of(bytes)), AX_OK);
}

static void
put_model(struct ax_ctx *ctx, struct tracking_case *at, const char *path)
{
    ax_str model = AX_STR("");
    CHECK_EQ(ax_file_read_all(ctx, AX_STR(MODEL), 1 << 20, &model), AX_OK);
    CHECK_EQ(ax_artifacts_put(at->artifacts, ctx, ax_str_of(path), model), AX_OK);
}

static ax_status
make(struct ax_ctx *ctx, struct tracking_case *at, const char *location, const char *sibling,
     struct ax_bundle *out, ax_str *out_hint)
{
    const struct ax_registered_bundle_of of = {.model = AX_STR("credit"),
                                               .location = ax_str_of(location),
                                               .sibling = ax_str_of(sibling),
                                               .run_id = AX_STR("r1"),
                                               .logged_model_id = AX_STR("m-1"),
                                               .source = AX_STR("models:/m-1")};
    return ax_registered_bundle_make(at->registry, at->artifacts, ctx, &of, out, out_hint);
}

static void
good(struct ax_ctx *ctx, struct tracking_case *at)
{
    struct ax_bundle bundle = {};
    ax_str hint = AX_STR("?"), rows = AX_STR("");
    put(ctx, at, "0/m/MLmodel", mlmodel);
    put(ctx, at, "0/m/example.json", example);
    put_model(ctx, at, "0/m/model.json");
    CHECK_EQ(make(ctx, at, "mlflow-artifacts:/0/m", "", &bundle, &hint), AX_OK);
    CHECK_STR(hint, "");
    CHECK_STR(bundle.format, "xgboost-json");
    struct ax_bundle read = {};
    CHECK_EQ(ax_bundle_read_manifest(ctx, bundle.manifest, &read), AX_OK);
    CHECK(ax_digest_eq(read.digest, bundle.digest));
    CHECK(ax_str_find(read.manifest, AX_STR("\"answer\":\"label\"")) != SIZE_MAX);
    CHECK(ax_str_find(read.manifest, AX_STR("\"training_run\":\"r1\"")) != SIZE_MAX);
    CHECK(read.present[AX_BUNDLE_SELF_TEST]);
    CHECK_EQ(ax_blob_get(at->blob, ctx, read.digests[AX_BUNDLE_SELF_TEST], 1 << 20, &rows), AX_OK);
    CHECK(ax_str_starts(rows, AX_STR("age,income,job,margin,response\n25,500,0,")));
    CHECK(ax_str_find(rows, AX_STR("\n,,2,")) != SIZE_MAX); /* nothing is a missing value */
}

TEST(a_logged_model_becomes_a_bundle_with_a_self_test)
{
    tracking_case_run(good);
}

static void
hints(struct ax_ctx *ctx, struct tracking_case *at)
{
    static const struct {
        const char *location, *sibling, *hint;
    } cases[] = {
        {"s3://bucket/m", "", "does not read them there"},
        {"mlflow-artifacts:/0/none", "", "MLmodel"},
        {"mlflow-artifacts:/0/broken", "", "no flavors"},
        {"mlflow-artifacts:/0/sk", "", "flavor sklearn: scikit-learn models are logged as Python"},
        {"mlflow-artifacts:/0/sk", "mlflow-artifacts:/0/none", "flavor sklearn"},
        {"mlflow-artifacts:/0/sk", "mlflow-artifacts:/0/sk", "flavor sklearn"},
        {"mlflow-artifacts:/0/lost", "", "model.json"},
        {"mlflow-artifacts:/0/damaged", "", "begins with the byte 0x6e"},
    };
    put(ctx, at, "0/broken/MLmodel", "a: b\n");
    put(ctx, at, "0/sk/MLmodel", sklearn);
    put(ctx, at, "0/lost/MLmodel", mlmodel);
    put(ctx, at, "0/damaged/MLmodel", mlmodel);
    put(ctx, at, "0/damaged/model.json", "no model");
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_bundle bundle = {};
        ax_str hint = AX_STR("");
        CHECK_EQ(make(ctx, at, cases[i].location, cases[i].sibling, &bundle, &hint), AX_OK);
        if (ax_str_find(hint, ax_str_of(cases[i].hint)) == SIZE_MAX)
            ax_test_failed(__FILE__, __LINE__, "%s: \"%.*s\"", cases[i].location, AX_FMT(hint));
    }
}

TEST(what_cannot_be_read_says_so_and_what_would_help)
{
    tracking_case_run(hints);
}

static ax_status
make_once(struct ax_ctx *ctx, struct tracking_case *at, int run)
{
    struct ax_bundle bundle;
    ax_str hint;
    (void)run;
    return make(ctx, at, "mlflow-artifacts:/0/m", "", &bundle, &hint);
}

static void
after(struct ax_ctx *ctx, struct tracking_case *at, int run, ax_status status)
{
    (void)ctx;
    (void)at;
    (void)run;
    (void)status;
}

static void
faults(struct ax_ctx *ctx, struct tracking_case *at)
{
    put(ctx, at, "0/m/MLmodel", mlmodel);
    put_model(ctx, at, "0/m/model.json");
    tracking_case_sweep(at, make_once, after);
}

TEST(making_a_bundle_fails_whole_or_not_at_all)
{
    tracking_case_run(faults);
}
