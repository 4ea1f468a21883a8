#include "engine/onnx_graph.h"

#include "base/assert.h"
#include "base/fault.h"
#include "base/map.h"
#include "base/number.h"

enum {
    NODES_MAX = 200'000,
    SLOTS_MAX = 1'000'000,
    BODY_DEPTH_MAX = 8,
    FOLD_WORK_MAX = 1 << 24, /* elements that constants may be computed with, in all */
};

/* What a name stands for in one scope. */
struct binding {
    int32_t slot;
    int32_t node; /* of the graph that makes it; -1: an input or an initializer */
};

struct scope {
    const struct scope *outer;
    struct ax_map *names;
};

struct building {
    struct ax_ctx *ctx;
    struct ax_arena *arena; /* of the model */
    const struct ax_onnx_file *file;
    const struct ax_onnx_level *level;
    struct {
        AX_ARRAY(const struct ax_onnx_value *)
    } constants; /* by slot */
    uint64_t fold_work;
    size_t node_count, inputs_max, outputs_max;
    int depth;
    bool doubles;
};

static ax_status
out_of_memory(const struct building *building, const char *what)
{
    return ax_fail(building->ctx, AX_LIMIT, "no memory for %s", what);
}

/* ---- names ---- */

static const struct binding *
find_name(const struct scope *scope, ax_str name)
{
    for (; scope; scope = scope->outer) {
        const struct binding *binding = ax_map_find(scope->names, name);
        if (binding)
            return binding;
    }
    return NULL;
}

static ax_status
define(struct building *building, struct scope *scope, ax_str name, int32_t node, int32_t *out_slot)
{
    struct ax_ctx *ctx = building->ctx;
    if (ax_map_find(scope->names, name))
        return ax_fail(ctx, AX_INVALID, "the graph makes `%.*s` twice", AX_FMT(name));
    if (building->constants.count >= SLOTS_MAX)
        return ax_fail(ctx, AX_LIMIT, "more than %d named values", (int)SLOTS_MAX);
    struct binding *binding = AX_NEW(ctx->arena, struct binding);
    const struct ax_onnx_value **constant = AX_ARRAY_PUSH(ctx->arena, &building->constants);
    if (!binding || !constant)
        return out_of_memory(building, "names");
    *binding = (struct binding){.slot = (int32_t)building->constants.count - 1, .node = node};
    if (!ax_map_put(scope->names, name, binding))
        return out_of_memory(building, "names");
    *out_slot = binding->slot;
    return AX_OK;
}

/* ---- copies that live as long as the model ---- */

static ax_status
copy_texts(const struct building *building, const ax_str *from, size_t count, ax_str **out)
{
    ax_str *texts = AX_NEW_ARRAY(building->arena, ax_str, count + 1);
    if (!texts)
        return out_of_memory(building, "texts");
    for (size_t i = 0; i < count; i++)
        if (!ax_str_copy(building->arena, from[i], &texts[i]))
            return out_of_memory(building, "texts");
    *out = texts;
    return AX_OK;
}

static ax_status
copy_bytes(const struct building *building, const void *from, size_t item_bytes, size_t count,
           void *out_pointer)
{
    void *copy = ax_arena_alloc(building->arena, item_bytes, count + 1);
    if (!copy)
        return out_of_memory(building, "a copy");
    if (count)
        memcpy(copy, from, item_bytes * count);
    memcpy(out_pointer, &copy, sizeof copy);
    return AX_OK;
}

static ax_status
copy_tensor(const struct building *building, const struct ax_tensor *from, struct ax_tensor *out)
{
    *out = *from;
    out->name = (ax_str){};
    if (from->type == AX_TENSOR_BYTES) {
        ax_str *texts;
        AX_TRY(copy_texts(building, from->data, from->count, &texts));
        out->data = texts;
        return AX_OK;
    }
    return copy_bytes(building, from->data, ax_tensor_element_bytes(from->type), from->count,
                      &out->data);
}

static ax_status
copy_attribute(const struct building *building, const struct ax_onnx_attribute *from,
               struct ax_onnx_attribute *out)
{
    *out = *from;
    out->graph = NULL;
    if (!ax_str_copy(building->arena, from->name, &out->name) ||
        !ax_str_copy(building->arena, from->s, &out->s))
        return out_of_memory(building, "attributes");
    AX_TRY(copy_bytes(building, from->floats.items, sizeof(float), from->floats.count,
                      &out->floats.items));
    AX_TRY(copy_bytes(building, from->ints.items, sizeof(int64_t), from->ints.count,
                      &out->ints.items));
    AX_TRY(copy_texts(building, from->texts.items, from->texts.count, &out->texts.items));
    if (!from->tensor)
        return AX_OK;
    out->tensor = AX_NEW(building->arena, struct ax_tensor);
    return out->tensor ? copy_tensor(building, from->tensor, out->tensor)
                       : out_of_memory(building, "attributes");
}

/* ---- initializers and inputs ---- */

static ax_status
add_initializer(struct building *building, struct scope *scope, const struct ax_tensor *tensor)
{
    int32_t slot;
    if (tensor->name.len == 0)
        return ax_fail(building->ctx, AX_INVALID, "an initializer has no name");
    AX_TRY(define(building, scope, tensor->name, -1, &slot));
    struct ax_onnx_value *value = AX_NEW(building->arena, struct ax_onnx_value);
    if (!value)
        return out_of_memory(building, "initializers");
    AX_TRY(copy_tensor(building, tensor, &value->tensor));
    value->known = true;
    building->constants.items[slot] = value;
    return AX_OK;
}

/* The value of a slot that is known; NULL: runs compute it. */
static const struct ax_onnx_value *
constant_of(const struct building *building, int32_t slot)
{
    AX_ASSERT(building->constants.items && (size_t)slot < building->constants.count);
    return building->constants.items[slot];
}

/* Inputs that an initializer gives a value (as all did before IR version 4) are no inputs. */
static ax_status
add_inputs(struct building *building, struct scope *scope, const struct ax_onnx_file_graph *file,
           struct ax_onnx_graph *out, const struct ax_onnx_file_value **out_described)
{
    int32_t *slots = AX_NEW_ARRAY(building->arena, int32_t, file->inputs.count + 1);
    if (!slots)
        return out_of_memory(building, "inputs");
    for (size_t i = 0; i < file->inputs.count; i++) {
        const struct ax_onnx_file_value *input = &file->inputs.items[i];
        const struct binding *given = ax_map_find(scope->names, input->name);
        if (input->name.len == 0)
            return ax_fail(building->ctx, AX_INVALID, "input %zu of the graph has no name", i);
        if (given && constant_of(building, given->slot))
            continue;
        AX_TRY(define(building, scope, input->name, -1, &slots[out->input_count]));
        if (out_described)
            out_described[out->input_count] = input;
        out->input_count++;
    }
    out->inputs = slots;
    return AX_OK;
}

/* ---- order ---- */

/* The nodes' work lists while they are sorted. */
struct order {
    const struct ax_onnx_file_graph *file;
    struct scope *scope;
    size_t *first; /* node_count + 1: where each node's followers begin in `followers` */
    int32_t *followers;
    size_t *waits;  /* inputs of each node that are not made yet */
    bool *backward; /* some node comes before one that it needs */
    bool filling;   /* false: only counting */
};

static void
note_need(struct order *order, ax_str name, int32_t node)
{
    const struct binding *made = ax_map_find(order->scope->names, name);
    if (!made || made->node < 0)
        return;
    *order->backward |= made->node >= node;
    if (order->filling)
        order->followers[order->first[made->node]++] = node;
    else
        order->first[made->node + 1]++;
    order->waits[node] += !order->filling;
}

/* What a node needs: its inputs, and what its bodies take from outside. */
static void
note_needs(struct order *order, const struct ax_onnx_file_node *from, int32_t node, int depth)
{
    for (size_t i = 0; i < from->inputs.count; i++)
        note_need(order, from->inputs.items[i], node);
    for (size_t a = 0; a < from->attributes.count && depth < BODY_DEPTH_MAX; a++) {
        const struct ax_onnx_file_graph *body = from->attributes.items[a].graph;
        for (size_t i = 0; body && i < body->nodes.count; i++)
            note_needs(order, &body->nodes.items[i], node, depth + 1);
        for (size_t i = 0; body && i < body->outputs.count; i++)
            note_need(order, body->outputs.items[i].name, node);
    }
}

static void
note_all(struct order *order)
{
    for (size_t i = 0; i < order->file->nodes.count; i++)
        note_needs(order, &order->file->nodes.items[i], (int32_t)i, 0);
}

/* Nodes whose needs are met, then those that wait for them, and so on: Kahn's algorithm. */
static size_t
place_nodes(const struct order *order, int32_t *out_order)
{
    size_t ready = 0, done = 0;
    for (size_t i = 0; i < order->file->nodes.count; i++)
        if (order->waits[i] == 0)
            out_order[ready++] = (int32_t)i;
    while (done < ready) {
        size_t node = (size_t)out_order[done++];
        for (size_t f = node ? order->first[node - 1] : 0; f < order->first[node]; f++)
            if (--order->waits[order->followers[f]] == 0)
                out_order[ready++] = order->followers[f];
    }
    return ready;
}

/* out_order: node_count of them. Most files are in order already, and stay as they are. */
static ax_status
sort_nodes(struct building *building, const struct ax_onnx_file_graph *file, struct scope *scope,
           int32_t *out_order)
{
    struct ax_ctx *ctx = building->ctx;
    size_t count = file->nodes.count;
    bool backward = false;
    struct order order = {.file = file, .scope = scope, .backward = &backward};
    order.first = AX_NEW_ARRAY(ctx->arena, size_t, count + 2);
    order.waits = AX_NEW_ARRAY(ctx->arena, size_t, count + 1);
    if (!order.first || !order.waits)
        return out_of_memory(building, "nodes");
    note_all(&order);
    for (size_t i = 0; i < count; i++)
        out_order[i] = (int32_t)i;
    if (!backward)
        return AX_OK;
    for (size_t i = 0; i < count; i++)
        order.first[i + 1] += order.first[i];
    order.followers = AX_NEW_ARRAY(ctx->arena, int32_t, order.first[count] + 1);
    if (!order.followers)
        return out_of_memory(building, "nodes");
    order.filling = true;
    note_all(&order); /* moves each node's `first` to the next one's beginning */
    if (place_nodes(&order, out_order) == count)
        return AX_OK;
    size_t stuck = 0;
    while (order.waits[stuck] == 0)
        stuck++;
    return ax_fail(ctx, AX_INVALID, "node %zu (%.*s) is on a cycle, or behind one", stuck,
                   AX_FMT(file->nodes.items[stuck].op));
}

/* ---- nodes ---- */

static ax_status build_graph(struct building *building, const struct scope *outer,
                             const struct ax_onnx_file_graph *file, struct ax_onnx_graph *out,
                             const struct ax_onnx_file_value **out_described);

static int64_t
version_of(const struct ax_onnx_file *file, ax_str domain)
{
    for (size_t i = 0; i < file->opsets.count; i++)
        if (ax_str_eq(file->opsets.items[i].domain, domain))
            return file->opsets.items[i].version;
    return 0;
}

static ax_status
find_operator(const struct building *building, const struct ax_onnx_file_node *file,
              struct ax_onnx_node *out)
{
    ax_str domain = ax_str_eq(file->domain, AX_STR("ai.onnx")) ? AX_STR("") : file->domain;
    int64_t known = domain.len ? AX_ONNX_ML_OPSET_MAX : AX_ONNX_OPSET_MAX;
    out->version = version_of(building->file, domain);
    out->doubles = building->doubles;
    if (out->version < 1)
        return ax_fail(building->ctx, AX_INVALID, "the file imports no operator set of `%.*s`",
                       AX_FMT(domain));
    out->op = ax_onnx_ops_find(domain, file->op, out->version);
    if (out->op && out->version <= known)
        return AX_OK;
    return ax_fail(building->ctx, AX_UNSUPPORTED,
                   "operator %.*s%s%.*s of operator set %lld is none that Axiom runs itself",
                   AX_FMT(domain), domain.len ? "." : "", AX_FMT(file->op),
                   (long long)out->version);
}

static ax_status
check_node(const struct building *building, const struct ax_onnx_file_node *file,
           const struct ax_onnx_operator *op)
{
    struct ax_ctx *ctx = building->ctx;
    size_t inputs = file->inputs.count, outputs = file->outputs.count;
    if ((int64_t)inputs < op->input_min || (int64_t)inputs > op->input_max)
        return ax_fail(ctx, AX_INVALID, "%zu inputs; expected %d to %d", inputs, op->input_min,
                       op->input_max);
    if (outputs < 1 || (int64_t)outputs > op->output_max)
        return ax_fail(ctx, AX_INVALID, "%zu outputs; expected 1 to %d", outputs, op->output_max);
    for (size_t i = 0; i < file->attributes.count; i++) {
        const struct ax_onnx_attribute *attribute = &file->attributes.items[i];
        if (!ax_onnx_ops_allows(op, attribute))
            return ax_fail(ctx, AX_INVALID,
                           "attribute `%.*s` is none that it has, or of another type",
                           AX_FMT(attribute->name));
        for (size_t j = 0; j < i; j++)
            if (ax_str_eq(file->attributes.items[j].name, attribute->name))
                return ax_fail(ctx, AX_INVALID, "attribute `%.*s` occurs twice",
                               AX_FMT(attribute->name));
    }
    return AX_OK;
}

static ax_status
bind_inputs(struct building *building, const struct scope *scope,
            const struct ax_onnx_file_node *file, struct ax_onnx_node *out)
{
    int32_t *inputs = AX_NEW_ARRAY(building->arena, int32_t, file->inputs.count + 1);
    if (!inputs)
        return out_of_memory(building, "nodes");
    for (size_t i = 0; i < file->inputs.count; i++) {
        ax_str name = file->inputs.items[i];
        const struct binding *binding = name.len ? find_name(scope, name) : NULL;
        if (name.len && !binding)
            return ax_fail(building->ctx, AX_INVALID, "input `%.*s` is made by nothing",
                           AX_FMT(name));
        if (!name.len && (int64_t)i < out->op->input_min)
            return ax_fail(building->ctx, AX_INVALID, "input %zu is left out", i);
        inputs[i] = binding ? binding->slot : AX_ONNX_NO_SLOT;
    }
    out->inputs = inputs;
    out->input_count = file->inputs.count;
    return AX_OK;
}

static ax_status
bind_outputs(struct building *building, const struct scope *scope,
             const struct ax_onnx_file_node *file, struct ax_onnx_node *out)
{
    int32_t *outputs = AX_NEW_ARRAY(building->arena, int32_t, file->outputs.count + 1);
    if (!outputs)
        return out_of_memory(building, "nodes");
    for (size_t i = 0; i < file->outputs.count; i++) {
        ax_str name = file->outputs.items[i];
        const struct binding *binding = name.len ? find_name(scope, name) : NULL;
        outputs[i] = binding ? binding->slot : AX_ONNX_NO_SLOT;
    }
    out->outputs = outputs;
    out->output_count = file->outputs.count;
    return AX_OK;
}

static ax_status
build_body(struct building *building, const struct scope *scope,
           const struct ax_onnx_file_node *file, struct ax_onnx_node *node)
{
    for (size_t i = 0; i < file->attributes.count; i++) {
        const struct ax_onnx_file_graph *body = file->attributes.items[i].graph;
        if (!body || node->graph) /* one body each: no operator with two runs natively */
            continue;
        struct ax_onnx_graph *graph = AX_NEW(building->arena, struct ax_onnx_graph);
        if (!graph)
            return out_of_memory(building, "a body");
        AX_TRY(build_graph(building, scope, body, graph, NULL));
        node->graph = graph;
    }
    return AX_OK;
}

static ax_status
keep_attributes(struct building *building, const struct ax_onnx_file_node *file,
                struct ax_onnx_node *node)
{
    node->attribute_count = file->attributes.count;
    node->attributes = file->attributes.items;
    if (node->op->prepare) {
        ax_status status = node->op->prepare(building->ctx, building->arena, node);
        node->attribute_count = 0; /* they lie in the file's memory; all that counts is prepared */
        node->attributes = NULL;
        return status;
    }
    struct ax_onnx_attribute *attributes =
        AX_NEW_ARRAY(building->arena, struct ax_onnx_attribute, file->attributes.count + 1);
    if (!attributes)
        return out_of_memory(building, "attributes");
    for (size_t i = 0; i < file->attributes.count; i++)
        AX_TRY(copy_attribute(building, &file->attributes.items[i], &attributes[i]));
    node->attributes = attributes;
    return AX_OK;
}

static size_t
larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static ax_status
build_node(struct building *building, const struct scope *scope,
           const struct ax_onnx_file_node *file, struct ax_onnx_node *out)
{
    AX_TRY(find_operator(building, file, out));
    AX_TRY(check_node(building, file, out->op));
    AX_TRY(bind_inputs(building, scope, file, out));
    AX_TRY(bind_outputs(building, scope, file, out));
    AX_TRY(build_body(building, scope, file, out));
    if (!ax_str_copy(building->arena, file->name.len ? file->name : file->outputs.items[0],
                     &out->name))
        return out_of_memory(building, "names");
    building->inputs_max = larger(building->inputs_max, file->inputs.count);
    building->outputs_max = larger(building->outputs_max, file->outputs.count);
    return keep_attributes(building, file, out);
}

/* ---- constants ---- */

static bool
is_constant(const struct building *building, const struct ax_onnx_node *node)
{
    for (size_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] >= 0 && !constant_of(building, node->inputs[i]))
            return false;
    return !node->graph;
}

/*
 * Runs a node of constants once, into the model's memory. One that would be large stays a node.
 */
static ax_status
fold(struct building *building, const struct ax_onnx_node *node, bool *out_folded)
{
    struct ax_ctx *ctx = building->ctx;
    size_t slots = building->constants.count;
    *out_folded = false;
    if (building->fold_work == 0)
        return AX_OK;
    struct ax_onnx_node one = *node;
    const struct ax_onnx_graph graph = {.nodes = &one, .node_count = 1};
    struct ax_onnx_run run = {
        .ctx = ctx,
        .memory = {.arena = building->arena, .work_left = building->fold_work},
        .level = building->level,
        .slots = AX_NEW_ARRAY(ctx->arena, const struct ax_onnx_value *, slots),
    };
    if (!run.slots)
        return out_of_memory(building, "constants");
    for (size_t i = 0; i < slots; i++)
        run.slots[i] = constant_of(building, (int32_t)i);
    ax_fault_benign_begin(); /* what cannot be computed now is computed by each run */
    ax_status status = ax_onnx_graph_run(&run, &graph);
    ax_fault_benign_end();
    building->fold_work = run.memory.work_left;
    if (status == AX_LIMIT) {
        building->fold_work = 0;
        ctx->error[0] = '\0';
        return AX_OK;
    }
    AX_TRY(status);
    AX_ASSERT(building->constants.items);
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] >= 0)
            building->constants.items[node->outputs[i]] = run.slots[node->outputs[i]];
    *out_folded = true;
    return AX_OK;
}

/* ---- graphs ---- */

static ax_status
define_outputs(struct building *building, struct scope *scope,
               const struct ax_onnx_file_graph *file)
{
    for (size_t n = 0; n < file->nodes.count; n++)
        for (size_t i = 0; i < file->nodes.items[n].outputs.count; i++) {
            ax_str name = file->nodes.items[n].outputs.items[i];
            int32_t slot;
            if (name.len)
                AX_TRY(define(building, scope, name, (int32_t)n, &slot));
        }
    return AX_OK;
}

static ax_status
bind_graph_outputs(struct building *building, const struct scope *scope,
                   const struct ax_onnx_file_graph *file, struct ax_onnx_graph *out)
{
    int32_t *slots = AX_NEW_ARRAY(building->arena, int32_t, file->outputs.count + 1);
    if (!slots)
        return out_of_memory(building, "outputs");
    for (size_t i = 0; i < file->outputs.count; i++) {
        const struct binding *binding = find_name(scope, file->outputs.items[i].name);
        if (!binding)
            return ax_fail(building->ctx, AX_INVALID,
                           "output `%.*s` of the graph is made by nothing",
                           AX_FMT(file->outputs.items[i].name));
        slots[i] = binding->slot;
    }
    out->outputs = slots;
    out->output_count = file->outputs.count;
    return AX_OK;
}

static ax_status
build_nodes(struct building *building, const struct scope *scope,
            const struct ax_onnx_file_graph *file, const int32_t *order, struct ax_onnx_graph *out)
{
    for (size_t i = 0; i < file->nodes.count; i++) {
        const struct ax_onnx_file_node *from = &file->nodes.items[order[i]];
        struct ax_onnx_node *node = &out->nodes[out->node_count];
        bool folded = false;
        *node = (struct ax_onnx_node){};
        ax_status status = from->outputs.count ? build_node(building, scope, from, node)
                                               : ax_fail(building->ctx, AX_INVALID, "no outputs");
        if (status != AX_OK)
            return ax_explain(building->ctx, status, "node %d `%.*s` (%.*s)", order[i],
                              AX_FMT(from->name), AX_FMT(from->op));
        if (is_constant(building, node))
            AX_TRY(fold(building, node, &folded));
        out->node_count += !folded;
    }
    return AX_OK;
}

static ax_status
build_graph(struct building *building, const struct scope *outer,
            const struct ax_onnx_file_graph *file, struct ax_onnx_graph *out,
            const struct ax_onnx_file_value **out_described)
{
    struct ax_ctx *ctx = building->ctx;
    struct scope scope = {.outer = outer, .names = ax_map_new(ctx->arena)};
    building->node_count += file->nodes.count;
    if (++building->depth > BODY_DEPTH_MAX || building->node_count > NODES_MAX)
        return ax_fail(ctx, AX_LIMIT, "more than %d nodes, or graphs more than %d deep",
                       (int)NODES_MAX, (int)BODY_DEPTH_MAX);
    int32_t *order = AX_NEW_ARRAY(ctx->arena, int32_t, file->nodes.count + 1);
    out->nodes = AX_NEW_ARRAY(building->arena, struct ax_onnx_node, file->nodes.count + 1);
    if (!scope.names || !order || !out->nodes)
        return out_of_memory(building, "nodes");
    for (size_t i = 0; i < file->initializers.count; i++)
        AX_TRY(add_initializer(building, &scope, &file->initializers.items[i]));
    AX_TRY(add_inputs(building, &scope, file, out, out_described));
    AX_TRY(define_outputs(building, &scope, file));
    AX_TRY(sort_nodes(building, file, &scope, order));
    AX_TRY(build_nodes(building, &scope, file, order, out));
    building->depth--;
    return bind_graph_outputs(building, &scope, file, out);
}

/* Whether float64 may reach an operator: an input, a constant or a cast of that type. */
static bool
has_doubles(const struct ax_onnx_file_graph *graph)
{
    enum { DOUBLE = 11 };
    bool found = false;
    for (size_t i = 0; i < graph->inputs.count; i++)
        found |= graph->inputs.items[i].element == DOUBLE;
    for (size_t i = 0; i < graph->initializers.count; i++)
        found |= graph->initializers.items[i].type == AX_TENSOR_FP64;
    for (size_t n = 0; n < graph->nodes.count; n++) {
        const struct ax_onnx_attributes *attributes = &graph->nodes.items[n].attributes;
        for (size_t i = 0; i < attributes->count; i++) {
            const struct ax_onnx_attribute *attribute = &attributes->items[i];
            found |= attribute->tensor && attribute->tensor->type == AX_TENSOR_FP64;
            found |= attribute->i == DOUBLE && ax_str_eq(attribute->name, AX_STR("to"));
            found |= attribute->graph != NULL; /* bodies: not looked into */
        }
    }
    return found;
}

ax_status
ax_onnx_graph_build(struct ax_ctx *ctx, struct ax_arena *arena, const struct ax_onnx_file *file,
                    const struct ax_onnx_level *level, struct ax_onnx_program *out_program)
{
    struct building building = {
        .ctx = ctx, .arena = arena, .file = file, .level = level, .fold_work = FOLD_WORK_MAX};
    struct ax_onnx_program program = {.level = level};
    building.doubles = has_doubles(&file->graph);
    if (file->function_count)
        return ax_fail(ctx, AX_UNSUPPORTED, "the model has functions of its own");
    program.inputs =
        AX_NEW_ARRAY(ctx->arena, const struct ax_onnx_file_value *, file->graph.inputs.count + 1);
    if (!program.inputs)
        return out_of_memory(&building, "inputs");
    AX_TRY(build_graph(&building, NULL, &file->graph, &program.graph, program.inputs));
    program.slot_count = building.constants.count;
    AX_TRY(copy_bytes(&building, building.constants.items, sizeof(void *), program.slot_count,
                      &program.constants));
    program.node_count = building.node_count;
    program.inputs_max = building.inputs_max;
    program.outputs_max = building.outputs_max;
    *out_program = program;
    return AX_OK;
}
