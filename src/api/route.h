/*
 * From a request to the function that answers it: paths, methods, permissions, threads.
 *
 * A protocol is a table of routes with its own form of refusal. The head of a request already
 * finds the route and asks who the caller is and whether they may: a body that nobody will read is
 * not taken. What may block says so in its row and runs on a worker.
 */
#pragma once

#include "api/api.h"
#include "api/dialect.h"
#include "api/observe.h"
#include "auth/policy.h"

struct ax_call;
struct ax_credential;
struct ax_grpc_call;
struct ax_streamed;

enum ax_route_thread { AX_ROUTE_LOOP, AX_ROUTE_WORKER };
enum ax_route_body { AX_ROUTE_NO_BODY, AX_ROUTE_JSON, AX_ROUTE_BYTES };

enum { AX_ROUTE_PARAMETERS_MAX = 4, AX_ROUTE_SMALL_BODY = 1 << 20, AX_ROUTE_LARGE_BODY = 1 << 26 };

struct ax_route {
    enum ax_http_method method;
    const char
        *pattern; /* "/api/v1/models/{model}": a {word} takes one segment; {word*} the rest */
    enum ax_permission permission;
    enum ax_route_thread thread;
    enum ax_route_body body;
    size_t body_bytes_max; /* 0: AX_ROUTE_SMALL_BODY */
    /*
     * Writes the answer's body (ax_call_json, or the exchange's own writer) and returns AX_OK, or
     * fails with words in ctx. After ax_call_defer it finishes the exchange itself, later.
     */
    ax_status (*handle)(struct ax_call *call, struct ax_ctx *ctx);
    const char *summary; /* one line: for the log and the description of the API */
    /*
     * NULL, or: the body may have any length and is not gathered. Gets its pieces, in order, on a
     * worker; then handle runs, with an empty body.
     */
    ax_status (*take)(struct ax_call *call, struct ax_ctx *ctx, ax_str piece);
};

struct ax_route_table {
    const struct ax_route *routes;
    size_t count;
    bool governed; /* only where there is a ledger: not in development mode */
    bool stored;   /* needs the database: refused, with its own words, while that is away */
    /* Writes a refusal in the protocol's form: content type and body. code: "" or a word. */
    void (*refuse)(struct ax_call *call, int http_status, ax_str words, ax_str code);
    enum ax_dialect dialect;
    /* NULL, or: the status that refuses this caller whatever they want, with its words; 0. */
    int (*guard)(const struct ax_call *call, ax_str *out_words);
    bool tracked; /* only where experiments are tracked; its /api/ paths are at /ajax-api/ too */
    /*
     * Where a path names no model, its handlers ask ax_policy_check_model for whichever it is about
     * and leave the others out of lists: without that, who is limited to some models is refused.
     */
    bool checks_models;
    /*
     * NULL, or: whether the protocol's own permissions allow this, on the worker and with the body
     * read, before the handler. It says it for callers without a role too.
     */
    ax_status (*permit)(struct ax_call *call, struct ax_ctx *ctx);
};

/* One request in progress. In its own arena. */
struct ax_call {
    struct ax_api *api;
    const struct ax_api_config *services;
    struct ax_exchange *exchange;
    const struct ax_http_request *request;
    const struct ax_route *route;
    const struct ax_route_table *table;
    ax_str parameters[AX_ROUTE_PARAMETERS_MAX]; /* decoded, in the order of the pattern */
    const struct ax_json *body;                 /* of JSON routes, and once a dialect has read it */
    struct ax_actor actor;
    const struct ax_credential *unverified; /* a password that is still to be verified; or NULL */
    struct ax_lane *lane;                   /* the loop's; NULL on a worker */
    struct ax_grpc_call *grpc;              /* NULL over REST */
    struct ax_streamed *streamed;           /* of inference_grpc.c: one of several messages */
    const void *body_read; /* of a dialect that had to read its body to find the model */
    void (*end)(struct ax_call *call, ax_status status); /* NULL: as the route's table answers */
    const void *data;                                    /* the protocol's own, between its steps */
    ax_str code; /* of a refusal, for programs: "four_eyes", "changed", ... */
    struct ax_json_writer json;
    bool permitted;        /* by its protocol's own permissions, where it has any */
    bool *deferred;        /* outlives the call, which may be gone when its handler returns */
    int64_t deadline_ns;   /* that the client's X-Request-Timeout sets; INT64_MAX: none */
    int64_t began_ns;      /* of a stream's message: when it came; 0: see the exchange */
    int64_t retry_after_s; /* of a refusal; 0: a second */
    ax_str model;          /* what is asked for, in whose queue it waits; "" when it is none */
    unsigned priority;     /* among the caller's own: fair_queue.h */
    struct ax_observed observed;
};

/* The answer as JSON: sets the content type, gives the writer. */
struct ax_json_writer *ax_call_json(struct ax_call *call);

/* The handler will finish the exchange itself (ax_call_answer or the exchange's finish). */
void ax_call_defer(struct ax_call *call);

/* Runs fn on a worker with the call; fn ends with ax_call_end. Fails: UNAVAILABLE (queue full). */
ax_status ax_call_to_worker(struct ax_call *call, struct ax_ctx *ctx,
                            ax_status (*fn)(struct ax_call *call, struct ax_ctx *ctx));

/* Ends a deferred call: the answer as it stands, or the refusal that status and ctx say. */
void ax_call_end(struct ax_call *call, ax_status status);

/* A member of the query string, decoded; "" when absent. */
ax_status ax_call_query(struct ax_call *call, struct ax_ctx *ctx, const char *name,
                        ax_str *out_value);

/* A whole number in a path: "0" to INT64_MAX, without sign or leading zeros. Fails: NOT_FOUND. */
ax_status ax_call_number(struct ax_call *call, struct ax_ctx *ctx, int parameter,
                         int64_t *out_value);

/* ---- the protocols' tables ---- */

extern const struct ax_route_table *const ax_route_tables[];
extern const size_t ax_route_table_count;

extern const struct ax_route_table ax_health_table; /* health.c: /healthz /readyz /metrics */
extern const struct ax_route_table ax_inference_rest_table;  /* inference_rest.c: /v2 */
extern const struct ax_route_table ax_inference_admin_table; /* inference_admin.c: its extensions */
extern const struct ax_route_table ax_tfserving_table;       /* tfserving.c: /v1/models */
extern const struct ax_route_table ax_torchserve_table;      /* torchserve.c: /predictions, ... */
extern const struct ax_route_table ax_torchserve_management_table; /* torchserve.c: /models */
extern const struct ax_route_table ax_mlflow_scoring_table; /* mlflow_scoring.c: /invocations */
extern const struct ax_route_table ax_v1_decisions_table;   /* v1_decisions.c */
extern const struct ax_route_table ax_v1_models_table;     /* v1_models.c: models, data, training */
extern const struct ax_route_table ax_v1_governance_table; /* v1_governance.c: proposals ... */
extern const struct ax_route_table ax_v1_ledger_table;     /* v1_ledger.c: checkpoint, tiles */
extern const struct ax_route_table ax_v1_users_table;      /* v1_users.c: users, tokens, keys */
extern const struct ax_route_table ax_v1_runs_table;       /* v1_runs.c: runs side by side */
extern const struct ax_route_table ax_v1_description_table;   /* v1_description.c: openapi.json */
extern const struct ax_route_table ax_mlflow_tracking_table;  /* mlflow_tracking.c */
extern const struct ax_route_table ax_mlflow_models_table;    /* mlflow_models.c: logged models */
extern const struct ax_route_table ax_mlflow_registry_table;  /* mlflow_registry.c */
extern const struct ax_route_table ax_mlflow_webhooks_table;  /* mlflow_webhooks.c */
extern const struct ax_route_table ax_mlflow_artifacts_table; /* mlflow_artifacts.c */
extern const struct ax_route_table ax_mlflow_users_table;     /* mlflow_users.c: permissions */
extern const struct ax_route_table ax_mlflow_meta_table;      /* mlflow_meta.c: health, version */

/* Refusals as application/problem+json (RFC 9457): the form of every /api/v1 table. */
void ax_problem_refuse(struct ax_call *call, int http_status, ax_str words, ax_str code);

/* {"error": words}: the plain form, of several dialects. */
void ax_problem_refuse_plain(struct ax_call *call, int http_status, ax_str words, ax_str code);
