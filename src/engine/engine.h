/*
 * The port of the scoring engine: a model file becomes a function from rows to numbers.
 *
 * A file's bytes are read once, by the reader that its content asks for, into an immutable engine
 * with a signature. A call scores rows in the caller's memory into the caller's memory: no
 * allocation, no lock, no thread of its own, and the same bits however the rows are cut into
 * calls. So any number of threads may use one engine at once.
 *
 * What calls need is made when the first of them comes, or before by ax_engine_prepare: a forest's
 * form for single rows, its form for batches, and its tables for contributions by cover. Until
 * then such a call allocates and takes milliseconds, and others of its kind wait for it; afterwards
 * nothing is ever made again, and what is there costs a call one atomic load.
 *
 * It is not a registry, a cache or a feature store: it knows columns by their place, categories by
 * their code, and nothing of who asks. A graph of tensors (ONNX) has a call of its own beside
 * the tabular one, and the tabular one too where its inputs are the columns of a table.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "numeric/tensor.h"
#include "sys/crypto.h"

struct ax_engine;
struct ax_engine_background;
struct ax_forms;

enum ax_engine_type { AX_ENGINE_F32, AX_ENGINE_F64 };

const char *ax_engine_type_name(enum ax_engine_type type); /* "FP32", "FP64": OIP's words */

/* What a value outside the model's knowledge does. */
enum ax_engine_rule {
    AX_ENGINE_LEARNED, /* the model has a branch, a bin or a value for it */
    AX_ENGINE_REFUSED, /* the call fails and names the row and the feature */
    AX_ENGINE_MISSING, /* it is treated as a missing value (only for other categories) */
};

struct ax_engine_feature {
    ax_str name;                 /* "f0", "f1" ... where the file has no names */
    bool categorical;            /* its values are codes 0, 1, 2 ... in a float */
    enum ax_engine_rule missing; /* NaN, or the caller's missing value */
    enum ax_engine_rule other;   /* a code that is no category; of numeric features LEARNED */
    const ax_str *categories;    /* word of each code; NULL when the file has none */
    size_t category_count;
    bool ranged;        /* the file says between which values or codes it was trained */
    double least, most; /* both of them included */

    /* What the model does with it, for people. */
    size_t split_count; /* nodes, bins or weights that look at it; 0: it is ignored */
};

/* Instructions that the kernels may use; each level includes the ones before. */
enum ax_engine_level {
    AX_ENGINE_LEVEL_BEST, /* of this machine */
    AX_ENGINE_LEVEL_PORTABLE,
    AX_ENGINE_LEVEL_AVX2,
    AX_ENGINE_LEVEL_AVX512, /* F, BW, DQ, VL, VBMI and GFNI: Ice Lake, Zen 4 and later */
};

/* How a forest is evaluated. Every kernel gives the same bits. */
enum ax_engine_kernel {
    AX_ENGINE_KERNEL_BEST,       /* by the number of rows of a call, as the costs say */
    AX_ENGINE_KERNEL_WALK,       /* node after node: the reference */
    AX_ENGINE_KERNEL_INTERLEAVE, /* a row at a time, eight trees abreast */
    AX_ENGINE_KERNEL_MATCH,      /* a row at a time, two trees' nodes at once; AVX2 */
    AX_ENGINE_KERNEL_HEAP,       /* a row at a time, a node of 64 trees at once; AVX2 */
    AX_ENGINE_KERNEL_GATHER,     /* a row at a time, 64 trees abreast; AVX-512 */
    AX_ENGINE_KERNEL_BATCH,      /* blocks of rows, a bit each */
    AX_ENGINE_KERNEL_MASKS,      /* a row at a time, leaf masks; see leaf_masks below */
};

/*
 * In which order a forest adds its leaves. Each gives the same bits on every machine, with every
 * kernel and number of rows; the order matters to the last bits only (forest.h has the bounds).
 * Contributions do not depend on it. A model that is no forest has one order, which is exact.
 */
enum ax_engine_mode {
    AX_ENGINE_EXACT, /* as the model's library does, one after the other */
    AX_ENGINE_FAST,  /* in runs of eight, which need not wait for each other */
};

const char *ax_engine_mode_name(enum ax_engine_mode mode); /* "exact", "fast" */
bool ax_engine_mode_parse(ax_str name, enum ax_engine_mode *out_mode);

const char *ax_engine_level_name(enum ax_engine_level level);    /* "portable", "AVX2" ... */
const char *ax_engine_kernel_name(enum ax_engine_kernel kernel); /* "walk", "match" ... */

/* What a model takes and gives. All of it lives as long as its engine. */
struct ax_engine_signature {
    ax_str format;    /* "xgboost-json", "xgboost-ubjson", "lightgbm-text", "catboost-json",
                         "axiom.scorecard", "axiom.linear" */
    ax_str version;   /* of the library that wrote it, "3.2.0"; of the format, "1" */
    ax_str kind;      /* "trees", "linear", "scorecard" */
    ax_str booster;   /* "gbtree", "dart", "gblinear", "gbdt", "rf" ...; "" elsewhere */
    ax_str objective; /* "binary:logistic", "logistic", ... as the file has it */
    bool named;       /* the file has feature names */
    bool blocking;    /* a call may block: run it on a worker, never on a loop */

    enum ax_engine_type input;  /* a wider input is rounded to this first, once */
    enum ax_engine_type output; /* the type in which margins and responses were computed */
    size_t feature_count;
    const struct ax_engine_feature *features;
    size_t margin_count;   /* K: columns of margin, and blocks of contributions */
    size_t response_count; /* columns of response: K, or 1 where the response is a class */
    unsigned outputs;      /* AX_ENGINE_... that a call may ask for without a background */
    bool background;       /* interventional contributions can be asked for */

    size_t tree_count; /* columns of leaf */
    size_t node_count;
    size_t leaf_count;
    size_t depth_max;    /* splits on the longest path */
    size_t memory_bytes; /* when it was opened; ax_engine_memory_bytes says it as of now */

    bool orders; /* AX_ENGINE_FAST is another order than AX_ENGINE_EXACT: the model is a forest */

    /* How trees are evaluated here, known once a call has been prepared: ax_engine_prepare. WALK
     * where no kernel covers the model. */
    enum ax_engine_level level;
    enum ax_engine_kernel row_kernel, batch_kernel; /* of single rows, and of many */
    size_t batch_rows;   /* rows of a call from which on, about, the second is quicker; 0: never */
    const ax_str *notes; /* what is unusual, a sentence each */
    size_t note_count;
};

struct ax_engine_config {
    size_t memory_bytes_max;      /* of the engine; 0: 1 GB */
    const struct ax_forms *forms; /* kept: where forms are looked for and kept; NULL: nowhere */
    const ax_digest *digest;      /* SHA-256 of the file, where it is known; only for forms */

    /* For tests and measurements. A kernel that cannot do a model leaves it to the walk. */
    enum ax_engine_level level;
    enum ax_engine_kernel kernel;

    /* Lets K2 be chosen, a kernel that falls under a legal note (forest_masks.h): off unless a
     * person says otherwise. */
    bool leaf_masks;

    /* Machine code for batches: memory is written, then made executable. Off under hardening. */
    bool forest_code;
};

/*
 * Opens the model that the bytes hold.
 *
 * bytes: the whole file, borrowed for the call. config: NULL for the defaults. ctx->arena is not
 * used: what the reader needs goes to an arena of its own.
 * Fails: INVALID with one sentence and the place when it is no sound model; UNSUPPORTED when it is
 * a format Axiom knows and does not run; LIMIT past a budget.
 */
ax_status ax_engine_open(struct ax_ctx *ctx, ax_str bytes, const struct ax_engine_config *config,
                         struct ax_engine **out_engine);

/* After the last call and the last background; NULL is not fine. */
void ax_engine_close(struct ax_engine *engine);
AX_DEFINE_AUTO(struct ax_engine, ax_engine_close);

const struct ax_engine_signature *ax_engine_signature(const struct ax_engine *engine);

/* Memory that the engine holds now, with all that was made since it was opened. */
size_t ax_engine_memory_bytes(const struct ax_engine *engine);

/* Files of kept forms that it has mapped, which processes share: not among the above. */
size_t ax_engine_mapped_bytes(const struct ax_engine *engine);

/* The feature's place, or SIZE_MAX. */
size_t ax_engine_feature_find(const struct ax_engine *engine, ax_str name);

/*
 * The code of a category's word. false when the feature has no such word: score it as code -1,
 * which every engine takes for "another category" and answers as `other` says.
 */
bool ax_engine_category_find(const struct ax_engine_feature *feature, ax_str word,
                             double *out_code);

/* Rows as they lie in memory: cell (i, j) is at + i * row_stride_bytes + j * column_stride_bytes.
 */
struct ax_engine_rows {
    const void *at;
    size_t count;
    size_t row_stride_bytes;    /* 0: rows follow each other densely */
    size_t column_stride_bytes; /* 0: cells follow each other densely */
    enum ax_engine_type type;
    bool missing_given; /* NaN is always missing; with this, cells equal to `missing` are too */
    double missing;
};

/* Outputs of a call, as bits. */
enum {
    AX_ENGINE_RESPONSE = 1 << 0,      /* what the objective makes of the margins */
    AX_ENGINE_MARGIN = 1 << 1,        /* raw scores */
    AX_ENGINE_CONTRIBUTIONS = 1 << 2, /* Shapley values of the margins, bias last */
    AX_ENGINE_LEAF = 1 << 3,          /* where each tree ended, in the library's own numbers */
    AX_ENGINE_POINTS = 1 << 4,        /* the score in points of a scorecard */
    AX_ENGINE_INTERACTIONS = 1 << 5,  /* contributions of pairs, by the trees' cover only */
};

struct ax_engine_call {
    struct ax_engine_rows rows;
    unsigned outputs;
    /* Contributions against these rows; NULL: the model's own (cover of trees, training means). */
    const struct ax_engine_background *background;
    enum ax_engine_mode mode; /* of margins and what is made of them */
};

/*
 * Where the outputs go, row after row; only those asked for are looked at. Floats are widened to
 * double, which loses nothing: (float) gives the library's bits back.
 *
 * Contributions add up to the margin as real numbers: where the library adds in float32, `margin`
 * itself is up to its rounding away from their sum.
 */
struct ax_engine_answer {
    double *response;      /* [rows][response_count] */
    double *margin;        /* [rows][margin_count] */
    double *contributions; /* [rows][margin_count][feature_count + 1] */
    int32_t *leaf;         /* [rows][tree_count] */
    double *points;        /* [rows] */
    /* [rows][margin_count][feature_count + 1][feature_count + 1]: symmetric, a line adds up to its
     * feature's contribution; the bias is the last corner */
    double *interactions;
};

/*
 * Scratch memory that a call of these outputs needs, whatever its number of rows. It makes the form
 * for single rows; where there is no memory for that the answer is more than anybody has.
 */
size_t ax_engine_scratch_bytes(const struct ax_engine *engine, unsigned outputs,
                               const struct ax_engine_background *background);

/*
 * Makes what calls of these outputs, with as many rows and of this background, need: afterwards
 * they allocate nothing. Once, whoever asks; others that ask meanwhile wait.
 *
 * call: the rows' count alone is looked at. Fails: LIMIT; the next one tries again.
 */
ax_status ax_engine_prepare(const struct ax_engine *engine, struct ax_ctx *ctx,
                            const struct ax_engine_call *call);

/* Whether such a call finds all it needs: a loop asks this before it scores. */
bool ax_engine_prepared(const struct ax_engine *engine, const struct ax_engine_call *call);

/*
 * Scores rows.
 *
 * scratch: ax_engine_scratch_bytes of memory aligned as ax_arena_alloc's, of any content; the
 * caller's, one per thread. NULL when that is 0.
 * Fails: INVALID when a value is refused, with row and feature; UNSUPPORTED when the model cannot
 * give an output; LIMIT when what the call needs could not be made. The answer's content is open
 * then.
 */
ax_status ax_engine_score(const struct ax_engine *engine, struct ax_ctx *ctx,
                          const struct ax_engine_call *call, void *scratch,
                          const struct ax_engine_answer *answer);

/*
 * Prepares a reference population for interventional contributions ("compared with whom").
 *
 * rows: copied; at least one, at most 100,000. engine: kept. Immutable afterwards and shared by
 * threads like the engine. The caller hashes and names it.
 * Fails: INVALID (no rows, a value is refused), UNSUPPORTED, LIMIT.
 */
ax_status ax_engine_background_open(const struct ax_engine *engine, struct ax_ctx *ctx,
                                    const struct ax_engine_rows *rows,
                                    struct ax_engine_background **out_background);
void ax_engine_background_close(struct ax_engine_background *background);
AX_DEFINE_AUTO(struct ax_engine_background, ax_engine_background_close);

size_t ax_engine_background_count(const struct ax_engine_background *background);
size_t ax_engine_background_bytes(const struct ax_engine_background *background);
size_t ax_engine_background_mapped_bytes(const struct ax_engine_background *background);

/* Distinct thresholds of a numeric feature, ascending, in ctx->arena: for boundary tests. */
ax_status ax_engine_thresholds(const struct ax_engine *engine, struct ax_ctx *ctx, size_t feature,
                               const double **out_thresholds, size_t *out_count);

/* ---- graphs of tensors ---- */

/* An input or output of a graph, as its file names it. */
struct ax_engine_port {
    ax_str name;
    enum ax_tensor_type type; /* of a map's values where map is true */
    size_t dim_count;
    int64_t shape[AX_TENSOR_DIMS_MAX]; /* -1: any length */
    bool map;                          /* a sequence of maps (ZipMap): [rows, keys] of values */
    const ax_str *keys;                /* of the maps, in order; numbers as text; NULL otherwise */
    size_t key_count;
};

struct ax_engine_graph {
    const struct ax_engine_port *inputs;
    size_t input_count;
    const struct ax_engine_port *outputs;
    size_t output_count;
};

/* The graph's tensors; NULL when the model is a table's function and no graph. */
const struct ax_engine_graph *ax_engine_graph(const struct ax_engine *engine);

/*
 * Runs a graph.
 *
 * inputs: every input of the graph, in its order, with data; borrowed. wanted: one a graph output.
 * out_outputs: output_count tensors, those not wanted with data NULL; their memory and all working
 * memory is in ctx->arena.
 * Fails: INVALID when an input's type or shape does not fit, with its name, or a value is refused;
 * UNSUPPORTED when the engine has no graph; LIMIT. Any thread, but see signature->blocking.
 */
ax_status ax_engine_run(const struct ax_engine *engine, struct ax_ctx *ctx,
                        const struct ax_tensor *inputs, const bool *wanted,
                        struct ax_tensor *out_outputs);
