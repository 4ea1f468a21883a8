/*
 * The wire rules of MLflow's REST API: where fields come from, what is wrong with them in MLflow's
 * own words, the form of answers and refusals. The tables beside it (mlflow_tracking.c,
 * mlflow_registry.c, mlflow_artifacts.c, mlflow_meta.c) only translate.
 *
 * A field is a member of a JSON body, or a parameter of a GET's query; both are read alike. Bad
 * input is never answered with a 5xx: MLflow's client repeats those for four minutes.
 *
 * Source: what MLflow's server answers (tests/golden/mlflow).
 */
#pragma once

#include "api/route.h"
#include "mlops/experiment_metric.h"

#define AX_MLFLOW_VERSION "3.18.0" /* of the API that is spoken; clients parse it */

struct ax_mlflow_request {
    struct ax_call *call;
    struct ax_ctx *ctx;
    const struct ax_json *body; /* NULL: fields are in the query */
};

/* Reads the body, or finds that the query counts. Fails: INVALID on another content type. */
ax_status ax_mlflow_read(struct ax_call *call, struct ax_ctx *ctx,
                         struct ax_mlflow_request *out_request);

/* "Missing value for required parameter 'X'. See the API docs ..." */
ax_status ax_mlflow_missing(struct ax_ctx *ctx, const char *name);

/* Whether a field is there and not null. */
bool ax_mlflow_has(const struct ax_mlflow_request *request, const char *name);

/* Fields that must be there and not be "". Fails: INVALID. */
ax_status ax_mlflow_need_text(const struct ax_mlflow_request *request, const char *name,
                              ax_str *out);
ax_status ax_mlflow_need_i64(const struct ax_mlflow_request *request, const char *name,
                             int64_t *out);
ax_status ax_mlflow_need_f64(const struct ax_mlflow_request *request, const char *name,
                             double *out);

/* Fields that may be unset: *out keeps its value then. Fails: INVALID on another type. */
ax_status ax_mlflow_may_text(const struct ax_mlflow_request *request, const char *name,
                             ax_str *out);
ax_status ax_mlflow_may_i64(const struct ax_mlflow_request *request, const char *name,
                            int64_t *out);
ax_status ax_mlflow_may_bool(const struct ax_mlflow_request *request, const char *name, bool *out);

struct ax_mlflow_texts {
    AX_ARRAY(ax_str)
};
ax_status ax_mlflow_texts(const struct ax_mlflow_request *request, const char *name,
                          struct ax_mlflow_texts *out);

/* [{"key","value"}..] */
ax_status ax_mlflow_pairs(const struct ax_mlflow_request *request, const char *name,
                          struct ax_experiment_pairs *out);

/* An array of objects; NULL when unset. */
ax_status ax_mlflow_objects(const struct ax_mlflow_request *request, const char *name,
                            const struct ax_json **out);

/*
 * One object of such an array as a request, whose fields are named by their path in messages.
 * path: "metrics[0].", in front of the names.
 */
ax_status ax_mlflow_member_text(struct ax_ctx *ctx, const struct ax_json *object, const char *path,
                                const char *name, ax_str *out, bool needed);
ax_status ax_mlflow_member_i64(struct ax_ctx *ctx, const struct ax_json *object, const char *path,
                               const char *name, int64_t *out, bool needed);

/* A number as protocol buffers take it: 1, 1.5, "2.5", "NaN", true. */
[[nodiscard]] bool ax_mlflow_number(const struct ax_json *json, double *out);
[[nodiscard]] bool ax_mlflow_whole(const struct ax_json *json, int64_t *out);

/* "Invalid value <json> for parameter 'X' supplied:  Hint: Value was of type 'int'. ..." */
ax_status ax_mlflow_wrong(struct ax_ctx *ctx, const char *name, const struct ax_json *value);

/* ---- answers ---- */

/* The answer as JSON, with the headers MLflow sends. */
struct ax_json_writer *ax_mlflow_json(struct ax_call *call);

/* {} */
ax_status ax_mlflow_done(struct ax_call *call);

/* Headers of an answer that is no JSON. */
void ax_mlflow_headers(struct ax_call *call);

/* {"error_code","message",..}, or HTML where no route was found. */
void ax_mlflow_refuse(struct ax_call *call, int http_status, ax_str words, ax_str code);

/* Fails with a code of MLflow's own, "BAD_REQUEST", beside the status. */
ax_status ax_mlflow_code(struct ax_call *call, ax_status status, const char *code);

/*
 * Where there are no credentials, only this machine's own pages may speak: 403 for another Host
 * (DNS rebinding) or Origin. 0 when it may.
 */
int ax_mlflow_guard(const struct ax_call *call, ax_str *out_words);

/* Rows of the tables. */
#define AX_MLFLOW              "/api/2.0/mlflow/"
#define AX_MLFLOW_BODY_BYTES   ((size_t)AX_ROUTE_LARGE_BODY)
#define AX_MLFLOW_TAKES_GET    AX_ROUTE_NO_BODY, 0
#define AX_MLFLOW_TAKES_POST   AX_ROUTE_BYTES, AX_MLFLOW_BODY_BYTES
#define AX_MLFLOW_TAKES_PUT    AX_ROUTE_BYTES, AX_MLFLOW_BODY_BYTES
#define AX_MLFLOW_TAKES_PATCH  AX_ROUTE_BYTES, AX_MLFLOW_BODY_BYTES
#define AX_MLFLOW_TAKES_DELETE AX_ROUTE_BYTES, AX_MLFLOW_BODY_BYTES
#define AX_MLFLOW_READ(method, path, fn, summary)                                                  \
    {                                                                                              \
        AX_HTTP_##method, path, AX_PERMISSION_READ, AX_ROUTE_WORKER, AX_MLFLOW_TAKES_##method, fn, \
            summary                                                                                \
    }
#define AX_MLFLOW_WRITE(method, path, fn, summary)                                                 \
    {                                                                                              \
        AX_HTTP_##method, path, AX_PERMISSION_DEVELOP, AX_ROUTE_WORKER, AX_MLFLOW_TAKES_##method,  \
            fn, summary                                                                            \
    }
