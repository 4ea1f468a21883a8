/*
 * libaxiom: Axiom's scoring engine as a library.
 *
 * A model file (XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, ONNX, Axiom's own scorecards
 * and linear models) becomes an immutable model. A scorer is made of it for one thread: it holds
 * the working memory of a call, so that a call allocates nothing, takes no lock and starts no
 * thread. The same rows give the same bits however they are cut into calls. One call of a model's
 * life is longer: the first that scores many rows makes its form for batches, in milliseconds.
 *
 * Any number of threads may share a model; each has a scorer of its own. Numbers come out as
 * doubles, which hold every float exactly. Functions that can fail return an axiom_status and, when
 * given an axiom_error, leave a sentence in it.
 *
 * ABI: the soname changes when this file changes incompatibly. Structs that you pass begin with
 * their size where they may grow.
 */
#ifndef AXIOM_H
#define AXIOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define AXIOM_EXPORT __attribute__((visibility("default")))
#else
#define AXIOM_EXPORT
#endif

typedef enum axiom_status {
    AXIOM_OK = 0,
    AXIOM_INVALID = 1,     /* the file, a value or an argument breaks a rule */
    AXIOM_NOT_FOUND = 2,   /* no such file or name */
    AXIOM_LIMIT = 3,       /* memory, or another budget */
    AXIOM_UNSUPPORTED = 4, /* known, and this model or build does not do it */
    AXIOM_INTERNAL = 5     /* a broken promise inside */
} axiom_status;

enum { AXIOM_ERROR_BYTES = 512 };

typedef struct axiom_error {
    axiom_status status;
    char text[AXIOM_ERROR_BYTES]; /* a sentence, terminated */
} axiom_error;

/* "0.1.0" */
AXIOM_EXPORT const char *axiom_version(void);

/* ---- models ---- */

typedef struct axiom_model axiom_model;

/* path: a model file. bytes: a model file's content, borrowed for the call. error: may be NULL. */
AXIOM_EXPORT axiom_status axiom_model_open(const char *path, axiom_model **out_model,
                                           axiom_error *error);
AXIOM_EXPORT axiom_status axiom_model_read(const void *bytes, size_t len, axiom_model **out_model,
                                           axiom_error *error);

/* What a model uses only where it is allowed to; neither changes an answer. */
enum {
    AXIOM_MACHINE_CODE = 1, /* batches by code that is made for the model: memory is written and
                               then made executable; with AVX-512 only, else it is done without */
    AXIOM_LEAF_MASKS = 2 /* single rows by leaf masks where they are quicker: a patent application
                            is told of for the method, see the notes on kernels */
};

/* The same; allowed: any of the above together. */
AXIOM_EXPORT axiom_status axiom_model_open_with(const char *path, unsigned allowed,
                                                axiom_model **out_model, axiom_error *error);
AXIOM_EXPORT axiom_status axiom_model_read_with(const void *bytes, size_t len, unsigned allowed,
                                                axiom_model **out_model, axiom_error *error);

/* After its last scorer. NULL is fine. */
AXIOM_EXPORT void axiom_model_close(axiom_model *model);

typedef struct axiom_feature {
    const char *name;
    int categorical;               /* values are codes 0, 1, 2 ... */
    size_t category_count;         /* words of the codes; 0 when the file has none */
    const char *const *categories; /* NULL when the file has none */
} axiom_feature;

/* What a model takes and gives. All of it lives as long as the model. */
typedef struct axiom_signature {
    const char *format;    /* "xgboost-json", "lightgbm-text", ... */
    const char *version;   /* of the library that wrote it */
    const char *kind;      /* "trees", "linear", "scorecard", "graph" */
    const char *objective; /* as the file has it */
    int float32;           /* inputs are rounded to float first, sums are float's */
    size_t feature_count;
    const axiom_feature *features;
    size_t margin_count;   /* K: columns of margin, blocks of contributions */
    size_t response_count; /* columns of response */
    size_t tree_count;     /* columns of leaf */
    unsigned outputs;      /* AXIOM_... that may be asked for */
    size_t memory_bytes;
} axiom_signature;

AXIOM_EXPORT const axiom_signature *axiom_model_signature(const axiom_model *model);

/* The code of a category's word, or -1: "another category", which every model has a rule for. */
AXIOM_EXPORT double axiom_model_category(const axiom_model *model, size_t feature,
                                         const char *word);

/* ---- scoring ---- */

/* Outputs, as bits. */
enum {
    AXIOM_RESPONSE = 1,      /* what the objective makes of the margins: a probability, say */
    AXIOM_MARGIN = 2,        /* raw scores */
    AXIOM_CONTRIBUTIONS = 4, /* exact Shapley values of the margins, bias last */
    AXIOM_LEAF = 8,          /* where each tree ended, in the library's own numbers */
    AXIOM_INTERACTIONS = 32  /* contributions of pairs, by the model's own cover */
};

typedef struct axiom_scorer axiom_scorer;

/*
 * outputs: what its calls will ask for, together. references: NULL, or rows against which
 * contributions are taken instead of the model's own cover; copied.
 */
struct axiom_rows;
AXIOM_EXPORT axiom_status axiom_scorer_open(const axiom_model *model, unsigned outputs,
                                            const struct axiom_rows *references,
                                            axiom_scorer **out_scorer, axiom_error *error);
AXIOM_EXPORT void axiom_scorer_close(axiom_scorer *scorer); /* NULL is fine */

/*
 * The order in which a tree model's leaves are added, for the scorer's next calls. Exact, the
 * default, is the library's own. Fast (not 0) takes trees in runs of eight: other last bits, the
 * same on every machine and for every number of rows, at most (trees/8 + 9) half units of the last
 * place of the sum of all magnitudes from the true sum. Other models and contributions have one
 * order.
 */
AXIOM_EXPORT void axiom_scorer_fast(axiom_scorer *scorer, int fast);

/* Rows as they lie in memory: cell (i, j) is at + i * row_stride + j * column_stride bytes. */
typedef struct axiom_rows {
    const void *at;
    size_t count;
    size_t row_stride;    /* 0: rows follow each other densely */
    size_t column_stride; /* 0: cells follow each other densely */
    int float32;          /* cells are float; else double. NaN is missing */
    int missing_given;    /* cells equal to `missing` are missing, too */
    double missing;
} axiom_rows;

/* Where outputs go, row after row; those that the scorer was opened for must be there. */
typedef struct axiom_answer {
    double *response;      /* [rows][response_count] */
    double *margin;        /* [rows][margin_count] */
    double *contributions; /* [rows][margin_count][feature_count + 1] */
    int32_t *leaf;         /* [rows][tree_count] */
    /* [rows][margin_count][feature_count + 1][feature_count + 1]: symmetric, a line adds up to its
     * feature's contribution; the bias is the last corner. Looked at only when asked for. */
    double *interactions;
} axiom_answer;

/* Scores rows. Fails: INVALID when a value is refused, with row and feature. */
AXIOM_EXPORT axiom_status axiom_score(axiom_scorer *scorer, const axiom_rows *rows,
                                      const axiom_answer *answer, axiom_error *error);

/* One dense row of floats or doubles to its response alone: the quickest call there is. */
AXIOM_EXPORT axiom_status axiom_score_row_f32(axiom_scorer *scorer, const float *row,
                                              double *out_response);
AXIOM_EXPORT axiom_status axiom_score_row_f64(axiom_scorer *scorer, const double *row,
                                              double *out_response);

#ifdef __cplusplus
}
#endif

#endif
