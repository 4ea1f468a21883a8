/*
 * What tracks experiments, asked for all that it has: a port.
 *
 * Questions are answered page by page in the JSON that MLflow's API has, whoever answers: a server
 * over HTTP (tracking_source_http.h) or the services of a data directory
 * (tracking_source_own.h). Answers may come from a foreign program: whoever reads them takes every
 * member from the readers below, which check. It only reads.
 */
#pragma once

#include "codec/json.h"
#include "sys/file.h"

struct ax_tracking_source;

enum ax_tracking_question {
    AX_TRACKING_EXPERIMENTS,   /* "experiments", deleted ones too, by id */
    AX_TRACKING_RUNS,          /* "runs" of the experiment id, deleted ones too, by start */
    AX_TRACKING_RUN,           /* {"run"} with this id */
    AX_TRACKING_HISTORY,       /* "metrics" of the run id: of this key */
    AX_TRACKING_MODELS,        /* logged "models" of the experiment id; none where unknown */
    AX_TRACKING_REGISTERED,    /* "registered_models"; with a key: the prompts instead */
    AX_TRACKING_VERSIONS,      /* "model_versions"; with a key: those of prompts instead */
    AX_TRACKING_LOCATION,      /* {"artifact_uri"} of the model id's version key */
    AX_TRACKING_FILES,         /* "files" in the folder key of the artifact proxy */
    AX_TRACKING_RUN_FILES,     /* in the folder key of the run id */
    AX_TRACKING_MODEL_FILES,   /* in the folder key of the logged model id */
    AX_TRACKING_QUESTION_COUNT /* none */
};

struct ax_tracking_ask {
    enum ax_tracking_question question;
    ax_str id, key;    /* "" where the question needs none */
    ax_str page_token; /* "": the first page */
};

#define AX_TRACKING_PROMPTS "tags.`mlflow.prompt.is_prompt` = 'true'"

enum { AX_TRACKING_PAGE_BYTES_MAX = 256 << 20 };

/* How many are asked for at once. */
enum {
    AX_TRACKING_RUNS_A_PAGE = 100,
    AX_TRACKING_MODELS_A_PAGE = 50,
    AX_TRACKING_POINTS_A_PAGE = 25'000,
    AX_TRACKING_OTHERS_A_PAGE = 1000,
};

/*
 * out_answer: in ctx->arena; NULL where the question is unknown there.
 * Fails: NOT_FOUND; UNAUTHENTICATED, DENIED; UNAVAILABLE, TIMEOUT; CORRUPT when it is no answer.
 */
ax_status ax_tracking_source_ask(struct ax_tracking_source *source, struct ax_ctx *ctx,
                                 const struct ax_tracking_ask *ask,
                                 const struct ax_json **out_answer);

/*
 * One file of those that a question names: its path stands in key.
 *
 * to: empty, open for writing. out_bytes: how many came. Fails: as above; as the file.
 */
ax_status ax_tracking_source_fetch(struct ax_tracking_source *source, struct ax_ctx *ctx,
                                   const struct ax_tracking_ask *ask, ax_file to,
                                   uint64_t *out_bytes);

void ax_tracking_source_close(struct ax_tracking_source *source);
AX_DEFINE_AUTO(struct ax_tracking_source, ax_tracking_source_close);

/*
 * All pages of a question, one after another. Each has memory of its own, which is ctx->arena of
 * the calls to `one`: an item of the array `member`, and how many there are.
 *
 * Fails: CORRUPT when the pages lead nowhere; as ask; as `one`.
 */
struct ax_tracking_walk {
    struct ax_tracking_ask ask;
    const char *member;
    ax_status (*one)(void *arg, struct ax_ctx *ctx, const struct ax_json *item);
    ax_status (*page)(void *arg, struct ax_ctx *ctx, const struct ax_json *items); /* or this */
    void *arg;
};
ax_status ax_tracking_source_walk(struct ax_tracking_source *source, struct ax_ctx *ctx,
                                  const struct ax_tracking_walk *walk);

/* ---- readers of answers ---- */

/* A text that must be there, or "" where it may be absent; without NUL. Fails: CORRUPT. */
ax_status ax_tracking_source_text(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                                  ax_str *out);
ax_status ax_tracking_source_may_text(struct ax_ctx *ctx, const struct ax_json *object,
                                      const char *key, ax_str *out);

/* A whole number, also as text; absent: stays. Fails: CORRUPT. */
ax_status ax_tracking_source_may_i64(struct ax_ctx *ctx, const struct ax_json *object,
                                     const char *key, int64_t *out);

/* A number, also as text: "NaN", "Infinity". Fails: CORRUPT. */
ax_status ax_tracking_source_f64(struct ax_ctx *ctx, const struct ax_json *object, const char *key,
                                 double *out);

/* An array, or NULL where it is absent. Fails: CORRUPT. */
ax_status ax_tracking_source_items(struct ax_ctx *ctx, const struct ax_json *object,
                                   const char *key, const struct ax_json **out);

/* ---- for adapters ---- */

struct ax_tracking_source_ops {
    const char *name;
    ax_status (*ask)(struct ax_tracking_source *source, struct ax_ctx *ctx,
                     const struct ax_tracking_ask *ask, const struct ax_json **out_answer);
    ax_status (*fetch)(struct ax_tracking_source *source, struct ax_ctx *ctx,
                       const struct ax_tracking_ask *ask, ax_file to, uint64_t *out_bytes);
    void (*close)(struct ax_tracking_source *source);
};

struct ax_tracking_source { /* an adapter embeds it as its first member */
    const struct ax_tracking_source_ops *ops;
};
