/*
 * The MLmodel file of a logged model: which of its files the engine can read, and what goes in.
 *
 * MLflow saves a model in flavors. Those whose file is a model format of the engine are taken from
 * it (XGBoost, LightGBM boosters, CatBoost as JSON, ONNX); for the others a hint says which export
 * would help. Nothing of the file is run, and no Python object is read.
 *
 * Source: MLflow's models (mlflow/models/model.py writes them as YAML), 2.x and 3.x.
 */
#pragma once

#include "codec/json.h"

enum { AX_MLMODEL_BYTES_MAX = 1 << 20 };

/* What MLflow's predict() gives for it, which a scoring server must give as well. */
enum ax_mlmodel_answer {
    AX_MLMODEL_RESPONSE,      /* what the objective makes of the scores */
    AX_MLMODEL_LABEL,         /* the class, as its number */
    AX_MLMODEL_PROBABILITIES, /* predict_proba of a classifier */
    AX_MLMODEL_OUTPUTS,       /* every output of a graph, by name */
};

struct ax_mlmodel {
    ax_str flavor; /* "xgboost", "sklearn" ...; "python_function" when there is no other */
    ax_str data;   /* path of its file below the MLmodel's folder; "" when it cannot be read */
    ax_str hint;   /* why not, and what to log instead: a sentence; "" when it can be read */
    enum ax_mlmodel_answer answer;
    ax_str *columns; /* names of the signature's inputs, in order */
    size_t column_count;
    ax_str example; /* path of an input example as the scoring server takes it; "" */
    ax_str version; /* of MLflow that wrote it; "" */
};

/*
 * text: borrowed. out: in ctx->arena.
 * Fails: INVALID when it is no YAML, has no flavors, or a path in it leads out; LIMIT.
 */
ax_status ax_mlmodel_parse(struct ax_ctx *ctx, ax_str text, struct ax_mlmodel *out);

/* "label", "probabilities" or "response": the word in a signature (serving/signature.h). */
const char *ax_mlmodel_answer_name(enum ax_mlmodel_answer answer);
