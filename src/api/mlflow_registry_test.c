#include "mlflow_case.h"

#define MODELS   MLFLOW_API "registered-models/"
#define VERSIONS MLFLOW_API "model-versions/"

static void
registry(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "POST " MODELS "create", "{\"name\":\"rm\",\"description\":\"d\"}", 200,
         "{\"registered_model\":{\"name\":\"rm\""},
        {DANA, "POST " MODELS "create", "{\"name\":\"rm\"}", 400, "RESOURCE_ALREADY_EXISTS"},
        {DANA, "POST " MODELS "create", "{\"name\":\"a/b\"}", 400, "Names cannot contain"},
        {VIC, "POST " MODELS "create", "{\"name\":\"x\"}", 403, "PERMISSION_DENIED"},
        {DANA, "GET " MODELS "get?name=none", "", 404, "Registered Model with name=none not found"},
        {DANA, "POST " VERSIONS "create", "{\"name\":\"rm\",\"source\":\"s3://a/b\"}", 200,
         "\"version\":\"1\""},
        {DANA, "POST " VERSIONS "create", "{\"name\":\"rm\",\"source\":\"/etc\"}", 400,
         "Invalid model version source: '/etc'"},
        {DANA, "POST " VERSIONS "create", "{\"name\":\"none\",\"source\":\"s3://a/b\"}", 404,
         "Registered Model with name=none not found"},
        {DANA, "GET " VERSIONS "get?name=rm&version=1", "", 200, "\"current_stage\":\"None\""},
        {DANA, "GET " VERSIONS "get?name=rm&version=x", "", 400, "must be an integer, got 'x'"},
        {DANA, "GET " VERSIONS "get?name=rm&version=9", "", 404, "(name=rm, version=9) not found"},
        {DANA, "GET " VERSIONS "get-download-uri?name=rm&version=1", "", 200,
         "{\"artifact_uri\":\"s3://a/b\"}"},
        {DANA, "PATCH " VERSIONS "update",
         "{\"name\":\"rm\",\"version\":\"1\",\"description\":"
         "\"words\"}",
         200, "\"description\":\"words\""},
        {DANA, "POST " VERSIONS "set-tag", "{\"name\":\"rm\",\"version\":1,\"key\":\"a\"}", 200,
         "{}"},
        {DANA, "DELETE " VERSIONS "delete-tag", "{\"name\":\"rm\",\"version\":\"1\",\"key\":\"a\"}",
         200, "{}"},
        {DANA, "POST " VERSIONS "transition-stage",
         "{\"name\":\"rm\",\"version\":\"1\",\"stage\":"
         "\"bogus\"}",
         400, "Invalid Model Version stage"},
        {DANA, "POST " VERSIONS "transition-stage",
         "{\"name\":\"rm\",\"version\":\"1\",\"stage\":"
         "\"staging\",\"archive_existing_versions\":true}",
         200, "\"current_stage\":\"Staging\""},
        {DANA, "GET " VERSIONS "search?filter=name%3D%27rm%27&max_results=1", "", 200,
         "\"model_versions\":[{"},
        {DANA, "GET " VERSIONS "search?max_results=200001", "", 400,
         "Invalid value \\\"200001\\\" for parameter 'max_results'"},
        {DANA, "POST " MODELS "get-latest-versions", "{\"name\":\"rm\"}", 200, "\"version\":\"1\""},
        {DANA, "GET " MODELS "get-latest-versions?name=rm&stages=None&stages=Staging", "", 200,
         "\"version\":\"1\""},
        {DANA, "POST " MODELS "alias", "{\"name\":\"rm\",\"alias\":\"best\",\"version\":\"1\"}",
         200, "{}"},
        {DANA, "GET " MODELS "alias?name=rm&alias=best", "", 200, "\"aliases\":[\"best\"]"},
        {DANA, "GET " MODELS "alias?name=rm&alias=none", "", 400, "alias none not found"},
        {DANA, "DELETE " MODELS "alias", "{\"name\":\"rm\",\"alias\":\"best\"}", 200, "{}"},
        {DANA, "POST " MODELS "set-tag", "{\"name\":\"rm\",\"key\":\"a\",\"value\":\"b\"}", 200,
         "{}"},
        {DANA, "GET " MODELS "search?max_results=1", "", 200, "\"registered_models\":[{"},
        {DANA, "GET " MODELS "search?max_results=1001", "", 400, "\\\"1001\\\" for parameter"},
        {DANA, "DELETE " MODELS "delete-tag", "{\"name\":\"rm\",\"key\":\"a\"}", 200, "{}"},
        {DANA, "PATCH " MODELS "update", "{\"name\":\"rm\",\"description\":\"n\"}", 200, "\"n\""},
        {DANA, "POST " MODELS "rename", "{\"name\":\"rm\",\"new_name\":\"rm2\"}", 200, "\"rm2\""},
        {DANA, "DELETE " VERSIONS "delete", "{\"name\":\"rm2\",\"version\":\"1\"}", 200, "{}"},
        {DANA, "DELETE " MODELS "delete", "{\"name\":\"rm2\"}", 200, "{}"},
        {DANA, "DELETE " MODELS "delete", "{\"name\":\"rm2\"}", 404, "RESOURCE_DOES_NOT_EXIST"},
    };
    mlflow_case_begin(at);
    API_CASE_TABLE(ctx, at, rows);
}

TEST(the_registry_over_mlflows_api)
{
    api_case_run(registry);
}
