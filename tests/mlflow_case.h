/* What the tests of MLflow's dialect share: JSON bodies said to be JSON, and a run to begin with.
 */
#pragma once

#include "api_case.h"
#include "codec/text.h"

#define MLFLOW_API "/api/2.0/mlflow/"

static inline void
mlflow_case_begin(struct api_case *at)
{
    at->header = (struct ax_http_header){AX_STR("Content-Type"), AX_STR("application/json")};
}

/* As MLflow's client sends it: "name:password" with every request. */
static inline void
mlflow_case_password(struct ax_ctx *ctx, struct api_case *at, const char *pair)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 10);
    ax_base64_encode(ax_str_of(pair), &text);
    at->header = (struct ax_http_header){
        AX_STR("Authorization"),
        ax_str_printf(ctx->arena, "Basic %.*s", AX_FMT(ax_writer_str(&text)))};
}

/* Makes something in an experiment; the id in answer.holder.info. */
static inline ax_str
mlflow_case_make(struct ax_ctx *ctx, struct api_case *at, const char *line, ax_str body,
                 const char *holder, const char *id_name)
{
    struct api_case_answer answer = api_case_ask(ctx, at, DANA, line, body);
    const struct ax_json *info = ax_json_find(ax_json_find(answer.json, holder), "info");
    ax_str id = AX_STR("");
    CHECK_EQ(answer.status, 200);
    CHECK(ax_json_text(ax_json_find(info, id_name), &id));
    return id;
}

/* A run of experiment "0" named so; its id. */
static inline ax_str
mlflow_case_run(struct ax_ctx *ctx, struct api_case *at, const char *name)
{
    ax_str body = ax_str_printf(ctx->arena, "{\"experiment_id\":\"0\",\"run_name\":\"%s\"}", name);
    return mlflow_case_make(ctx, at, "POST " MLFLOW_API "runs/create", body, "run", "run_id");
}

/* Rows in which "RUN", in request and body, stands for an id. */
static inline void
mlflow_case_table(struct ax_ctx *ctx, struct api_case *at, ax_str id,
                  const struct api_case_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *texts[2] = {rows[i].request, rows[i].body};
        for (size_t t = 0; t < 2; t++) {
            ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
            ax_str rest = ax_str_of(texts[t]), copy = AX_STR("");
            for (size_t found; (found = ax_str_find(rest, AX_STR("RUN_ID"))) != SIZE_MAX;
                 rest = ax_str_from(rest, found + 6)) {
                ax_writer_bytes(&text, (ax_str){rest.at, found});
                ax_writer_bytes(&text, id);
            }
            ax_writer_bytes(&text, rest);
            CHECK_EQ(ax_writer_take(&text, ctx->arena, &copy), AX_OK);
            texts[t] = ax_str_c(ctx->arena, copy);
        }
        const struct api_case_row row = {rows[i].who, texts[0], texts[1], rows[i].status,
                                         rows[i].words};
        api_case_table(ctx, at, &row, 1);
    }
}

#define MLFLOW_CASE_TABLE(ctx, at, id, rows) mlflow_case_table(ctx, at, id, rows, AX_COUNT_OF(rows))
