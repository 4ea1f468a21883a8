/*
 * What an operator of an ONNX graph is: a row in a table, and a function over one call.
 *
 * Each onnx_ops_*.c exports its table; ax_onnx_ops_find looks through them all. A call sees its
 * inputs as tensors, asks for memory for its outputs, and refuses types and shapes that do not fit.
 * An operator that reads much from its attributes does so once, in `prepare`.
 *
 * A trial is a run over made-up inputs when the model is opened: it finds wrong types, shapes and
 * feature numbers before anybody is answered, without a second description of each operator. What
 * depends on a made-up value (a shape that is an input, say) is unknown there, and stays untried.
 */
#pragma once

#include "engine/onnx_file.h"
#include "engine/onnx_level.h"

enum {
    AX_ONNX_NO_SLOT = -1,
    AX_ONNX_OPSET_MAX = 28, /* of ai.onnx, the newest whose operators are known here */
    AX_ONNX_ML_OPSET_MAX = 5,
};

/* What a name stands for while a graph runs. */
struct ax_onnx_value {
    struct ax_tensor tensor;
    const ax_str *keys; /* of a sequence of maps: the columns' names; NULL for a tensor */
    size_t key_count;
    bool known; /* in a trial: computed from constants and shapes alone */
};

/* Nodes in the order of running; slots are numbered through all graphs of a model. */
struct ax_onnx_graph {
    struct ax_onnx_node *nodes;
    size_t node_count;
    const int32_t *inputs;
    size_t input_count;
    const int32_t *outputs;
    size_t output_count;
};

struct ax_onnx_node {
    const struct ax_onnx_operator *op;
    ax_str name;
    int64_t version; /* of its domain's operator set */
    bool doubles;    /* float64 occurs somewhere in the file */
    const struct ax_onnx_attribute *attributes;
    size_t attribute_count;
    const int32_t *inputs; /* AX_ONNX_NO_SLOT: left out */
    size_t input_count;
    const int32_t *outputs;
    size_t output_count;
    const void *prepared;              /* what the operator's `prepare` made */
    const struct ax_onnx_graph *graph; /* its body; NULL when it has none */
};

/* Memory for outputs: a buffer first, the arena when that is full. */
struct ax_onnx_memory {
    char *at;
    size_t left;
    struct ax_arena *arena;
    size_t taken_bytes; /* in all: what a buffer would have to hold */
    uint64_t work_left; /* elements that may still be computed */
};

/* One run of a graph. */
struct ax_onnx_run {
    struct ax_ctx *ctx;
    struct ax_onnx_memory memory;
    const struct ax_onnx_value **slots; /* NULL: not computed */
    const struct ax_onnx_level *level;  /* the loops of this machine */
    bool trial;
};

/* One operator being run. */
struct ax_onnx_call {
    struct ax_ctx *ctx;
    struct ax_onnx_run *run;
    const struct ax_onnx_node *node;
    const struct ax_onnx_value *const *inputs; /* NULL: left out */
    size_t input_count;
    struct ax_onnx_value *outputs;
    size_t output_count;
    bool unknown; /* set in a trial when a made-up value would decide */
};

enum {
    AX_ONNX_WIDEN = 1 << 0, /* 16-bit floats are computed in float32 and rounded back */
    AX_ONNX_KNOWN = 1 << 1, /* in a trial, outputs follow from the shapes of the inputs */
};

struct ax_onnx_operator {
    const char *name;
    int since; /* the first operator set whose meaning this is */
    int input_min, input_max;
    int output_max;
    unsigned flags;
    const char *attributes; /* "axis:i keepdims:i": those it may have, with their types */
    ax_status (*run)(struct ax_onnx_call *call);
    /* arena: kept, the model's; ctx->arena: working memory. NULL: nothing is to be prepared. */
    ax_status (*prepare)(struct ax_ctx *ctx, struct ax_arena *arena, struct ax_onnx_node *node);
};

struct ax_onnx_ops {
    const char *domain;
    const struct ax_onnx_operator *operators;
    size_t count;
};

/* The tables, one a file. */
extern const struct ax_onnx_ops ax_onnx_ops_binary, ax_onnx_ops_unary, ax_onnx_ops_shape,
    ax_onnx_ops_index, ax_onnx_ops_reduce, ax_onnx_ops_matrix, ax_onnx_ops_cast, ax_onnx_ops_graph,
    ax_onnx_ops_tree, ax_onnx_ops_linear, ax_onnx_ops_encode, ax_onnx_ops_feature;

/* The newest meaning of an operator up to this version; NULL when Axiom has none. */
const struct ax_onnx_operator *ax_onnx_ops_find(ax_str domain, ax_str name, int64_t version);

/* Whether the operator's row lists the attribute with that type. */
bool ax_onnx_ops_allows(const struct ax_onnx_operator *op,
                        const struct ax_onnx_attribute *attribute);

/* ---- for operators: attributes ---- */

/* NULL when the node has none of that name. */
const struct ax_onnx_attribute *ax_onnx_attribute(const struct ax_onnx_node *node,
                                                  const char *name);
int64_t ax_onnx_attribute_i64(const struct ax_onnx_node *node, const char *name, int64_t fallback);
float ax_onnx_attribute_f32(const struct ax_onnx_node *node, const char *name, float fallback);
ax_str ax_onnx_attribute_text(const struct ax_onnx_node *node, const char *name, ax_str fallback);

/* Lists; empty when absent. */
struct ax_onnx_floats ax_onnx_attribute_floats(const struct ax_onnx_node *node, const char *name);
struct ax_onnx_ints ax_onnx_attribute_ints(const struct ax_onnx_node *node, const char *name);
struct ax_onnx_texts ax_onnx_attribute_texts(const struct ax_onnx_node *node, const char *name);

/* ---- for operators: inputs and outputs ---- */

/* NULL when it is left out. */
const struct ax_tensor *ax_onnx_input(const struct ax_onnx_call *call, size_t index);

/* Whether the output is asked for. */
bool ax_onnx_wants(const struct ax_onnx_call *call, size_t index);

/* Memory of a call that is not zeroed; it lasts as long as the run. Fails: LIMIT. */
ax_status ax_onnx_memory_take(struct ax_onnx_call *call, size_t item_bytes, size_t count,
                              void **out);

/* Counts work against the budget of opening a model; a run for an answer has no such budget. */
ax_status ax_onnx_memory_spend(struct ax_onnx_call *call, size_t times, size_t elements);

/* Makes output `index`: out_data has room for shape's elements, of any content. */
struct ax_onnx_shape {
    size_t dim_count;
    int64_t dims[AX_TENSOR_DIMS_MAX];
};
ax_status ax_onnx_output(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type,
                         const struct ax_onnx_shape *shape, void **out_data);

/* The same, with the shape of a tensor. */
ax_status ax_onnx_output_like(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type,
                              const struct ax_tensor *like, void **out_data);

/* An output that shares the tensor's elements, in another shape (NULL: in its own). */
ax_status ax_onnx_output_same(struct ax_onnx_call *call, size_t index,
                              const struct ax_tensor *tensor, const struct ax_onnx_shape *shape);

struct ax_onnx_shape ax_onnx_shape_of(const struct ax_tensor *tensor);

/* Product of dims [from, to). */
size_t ax_onnx_shape_product(const struct ax_tensor *tensor, size_t from, size_t to);

/* Axis, counted from the end when negative, of a tensor of `rank` dimensions. Fails: INVALID. */
ax_status ax_onnx_axis(struct ax_onnx_call *call, int64_t axis, size_t rank, size_t *out_axis);

/*
 * An input of INT64 or INT32 as whole numbers that decide shapes: in a trial it must be known.
 *
 * absent: *out_given is false. Fails: INVALID for another type; unknown in a trial.
 */
ax_status ax_onnx_input_i64s(struct ax_onnx_call *call, size_t index, const int64_t **out_items,
                             size_t *out_count, bool *out_given);

/* The same for lists that an attribute gave in older operator sets; the input counts first. */
ax_status ax_onnx_input_or_ints(struct ax_onnx_call *call, size_t index, const char *attribute,
                                struct ax_onnx_ints *out, bool *out_given);

/* Output `index`: the tensor's elements in another type, as Cast does it. */
ax_status ax_onnx_convert(struct ax_onnx_call *call, size_t index, const struct ax_tensor *tensor,
                          enum ax_tensor_type type);

/* Ends a trial here: a made-up value would decide. To be returned. */
ax_status ax_onnx_unknown(struct ax_onnx_call *call);

/* "input 0 is FP32; expected ...": INVALID. */
ax_status ax_onnx_fail_type(struct ax_onnx_call *call, size_t index);

/* Input `index` must be there and of this type. */
ax_status ax_onnx_need_type(struct ax_onnx_call *call, size_t index, enum ax_tensor_type type);

/* Texts that an encoder compares its input with; 0 when the node is none, or encodes numbers. */
size_t ax_onnx_words(const struct ax_onnx_node *node, const ax_str **out_words);

/*
 * Keys of the map that an operator takes (DictVectorizer, CastMap), in the order of its columns; 0
 * when it takes none. A map comes in as a tensor [rows, keys].
 */
size_t ax_onnx_map_keys(const struct ax_onnx_node *node, const ax_str **out_keys);

/* Which vectorised function of floats the node computes; FUNCTION_COUNT: none of them. */
enum ax_onnx_function ax_onnx_unary_function(const struct ax_onnx_node *node);

/* ---- for operators with a body ---- */

/* Runs the nodes of a graph whose inputs are in their slots. */
ax_status ax_onnx_graph_run(struct ax_onnx_run *run, const struct ax_onnx_graph *graph);
