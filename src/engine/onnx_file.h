/*
 * Reads the protobuf of an ONNX file into plain structs: models, graphs, nodes, tensors.
 *
 * Only what Axiom looks at is kept; any other field is stepped over. Texts are slices of the
 * bytes, arrays and elements of tensors are aligned copies in ctx->arena. The reader is our own
 * because the files are hostile: lengths, varints, depth, counts and shapes are checked here, and
 * every fault names its byte. It knows no operator and checks no graph: that is onnx.h.
 *
 * Source: onnx/onnx.proto (proto2, IR version 3 to 13); protobuf's wire format.
 */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/ctx.h"
#include "numeric/tensor.h"

/* AttributeProto.AttributeType. */
enum ax_onnx_attribute_type {
    AX_ONNX_NONE = 0,
    AX_ONNX_FLOAT = 1,
    AX_ONNX_INT = 2,
    AX_ONNX_STRING = 3,
    AX_ONNX_TENSOR = 4,
    AX_ONNX_GRAPH = 5,
    AX_ONNX_FLOATS = 6,
    AX_ONNX_INTS = 7,
    AX_ONNX_STRINGS = 8,
    AX_ONNX_OTHER = 9, /* lists of tensors and graphs, types: nothing that runs natively has them */
};

struct ax_onnx_floats {
    AX_ARRAY(float)
};
struct ax_onnx_ints {
    AX_ARRAY(int64_t)
};
struct ax_onnx_texts {
    AX_ARRAY(ax_str)
};

struct ax_onnx_attribute {
    ax_str name;
    enum ax_onnx_attribute_type type;
    float f;
    int64_t i;
    ax_str s;
    struct ax_tensor *tensor;
    struct ax_onnx_file_graph *graph;
    struct ax_onnx_floats floats;
    struct ax_onnx_ints ints;
    struct ax_onnx_texts texts;
};
struct ax_onnx_attributes {
    AX_ARRAY(struct ax_onnx_attribute)
};

struct ax_onnx_file_node {
    ax_str name, op, domain;
    struct ax_onnx_texts inputs, outputs; /* "": left out */
    struct ax_onnx_attributes attributes;
};

enum ax_onnx_kind {
    AX_ONNX_KIND_NONE,   /* the file does not say */
    AX_ONNX_KIND_TENSOR, /* of `element` */
    AX_ONNX_KIND_MAP,    /* from `key` to a tensor of `element` */
    AX_ONNX_KIND_MAPS,   /* a sequence of such maps */
    AX_ONNX_KIND_OTHER,
};

/* A named value of a graph and its type; elements in ONNX's own numbers, see ax_onnx_file_type. */
struct ax_onnx_file_value {
    ax_str name;
    enum ax_onnx_kind kind;
    int64_t element, key;
    bool shaped; /* false: even its rank is open */
    size_t dim_count;
    int64_t shape[AX_TENSOR_DIMS_MAX]; /* -1: any length */
};

struct ax_onnx_file_graph {
    ax_str name;
    struct {
        AX_ARRAY(struct ax_onnx_file_node)
    } nodes;
    struct {
        AX_ARRAY(struct ax_tensor)
    } initializers;
    struct {
        AX_ARRAY(struct ax_onnx_file_value)
    } inputs, outputs;
};

struct ax_onnx_opset {
    ax_str domain; /* "" for ai.onnx */
    int64_t version;
};

struct ax_onnx_file {
    int64_t ir_version;
    ax_str producer, producer_version;
    struct {
        AX_ARRAY(struct ax_onnx_opset)
    } opsets;
    struct ax_onnx_file_graph graph;
    size_t function_count; /* functions of the model's own */
};

/*
 * Reads a whole file.
 *
 * bytes: borrowed, and looked at as long as out_file is. Everything lies in ctx->arena.
 * Fails: INVALID with the byte and what is wrong there; UNSUPPORTED for what ONNX allows and Axiom
 * does not read (data in other files, sparse tensors, odd element types); LIMIT past the budget.
 */
ax_status ax_onnx_file_read(struct ax_ctx *ctx, ax_str bytes, struct ax_onnx_file *out_file);

/* Whether the bytes may be an ONNX file at all: they begin with a field that a ModelProto has. */
bool ax_onnx_file_is(ax_str bytes);

/* The tensor type of one of TensorProto.DataType; false when Axiom has none. */
[[nodiscard]] bool ax_onnx_file_type(int64_t element, enum ax_tensor_type *out_type);
