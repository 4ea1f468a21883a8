/*
 * Cost: one ternary logic and one or two loads a multiplexer, against three loads and a store
 * interpreted. Encoding source: Intel, Software Developer's Manual, volume 2, chapter 2.7.
 */
#include "engine/forest_code.h"

#include <string.h>
#include <sys/mman.h>

enum {
    PLANES = AX_FOREST_SLICE_PLANES_MAX,
    REGISTERS = AX_FOREST_CODE_REGISTERS,
    SPARE = REGISTERS, /* the register behind them */
    OP_BYTES_MAX = 33, /* two loads and a ternary logic, each with a far operand */
    TREE_BYTES_MAX = 1 + PLANES * 20,
    PAGE_BYTES = 4096,
    MAP_0F = 1,
    MAP_0F3A = 3,
};

#ifdef __x86_64__
enum { NATIVE = true };
#else
enum { NATIVE = false };
#endif

struct ax_forest_code {
    uint8_t *memory;
    size_t bytes;
    uint32_t *entry; /* of each tree */
};

struct emitter {
    uint8_t *at;
    uint32_t temporary_first;
};

/* ---- instructions ---- */

struct instruction {
    uint8_t map, opcode;
    uint32_t reg, second; /* registers */
    uint32_t third;       /* a register, or a slot */
    bool memory;
};

/* EVEX.512.66.W1: reg, second, and a register or [rdi + 64 * slot]. */
static void
emit(struct emitter *e, struct instruction i)
{
    uint32_t b = i.memory ? 1 : !(i.third >> 3 & 1), x = i.memory ? 1 : !(i.third >> 4 & 1);
    *e->at++ = 0x62;
    *e->at++ = (uint8_t)((uint32_t) !(i.reg >> 3 & 1) << 7 | x << 6 | b << 5 |
                         (uint32_t) !(i.reg >> 4 & 1) << 4 | i.map);
    *e->at++ = (uint8_t)(1u << 7 | (~i.second & 15) << 3 | 1 << 2 | 1);
    *e->at++ = (uint8_t)(2u << 5 | (uint32_t) !(i.second >> 4 & 1) << 3);
    *e->at++ = i.opcode;
    uint32_t bytes = i.third * 64, low = (i.reg & 7) << 3;
    if (!i.memory) {
        *e->at++ = (uint8_t)(0xC0 | low | (i.third & 7));
    } else if (i.third < 128) { /* a displacement of a byte is in units of 64 */
        *e->at++ = (uint8_t)(0x47 | low);
        *e->at++ = (uint8_t)i.third;
    } else {
        *e->at++ = (uint8_t)(0x87 | low);
        memcpy(e->at, &bytes, sizeof bytes);
        e->at += sizeof bytes;
    }
}

/* vmovdqa64 */
static void
load(struct emitter *e, uint32_t reg, uint32_t slot)
{
    emit(e, (struct instruction){MAP_0F, 0x6F, reg, 0, slot, true});
}

static void
store(struct emitter *e, uint32_t slot, uint32_t reg)
{
    emit(e, (struct instruction){MAP_0F, 0x7F, reg, 0, slot, true});
}

/* vpternlogq: out = table[out, second, third], bits of the operands as a number. */
static void
ternary(struct emitter *e, uint32_t out, uint32_t second, bool memory, uint32_t third,
        uint8_t table)
{
    emit(e, (struct instruction){MAP_0F3A, 0x25, out, second, third, memory});
    *e->at++ = table;
}

/* ---- operations ---- */

/* Which operand of a ternary logic select, left and right are. */
struct places {
    int select, left, right;
};

/* The truth table of select ? right : left; a constant has no place. */
static uint8_t
table_of(const struct ax_forest_slice_op *op, struct places at)
{
    uint32_t table = 0;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t select = i >> (2 - at.select) & 1;
        uint32_t left = op->left < 2 ? op->left : i >> (2 - at.left) & 1;
        uint32_t right = op->right < 2 ? op->right : i >> (2 - at.right) & 1;
        table |= (select ? right : left) << i;
    }
    return (uint8_t)table;
}

/* One side is a constant, or both: out = f(side, select), the first operand is of no account. */
static void
emit_constant(struct emitter *e, const struct ax_forest_slice_op *op, uint32_t out)
{
    uint32_t slot = op->left < 2 ? op->right : op->left, reg = slot - e->temporary_first;
    if (op->left < 2 && op->right < 2) { /* 1 : 0, the complement */
        ternary(e, out, out, true, op->select, table_of(op, (struct places){2, 0, 0}));
        return;
    }
    if (slot < e->temporary_first)
        load(e, reg = out, slot);
    ternary(e, out, reg, true, op->select, table_of(op, (struct places){2, 1, 1}));
}

/* Both sides are temporaries; the result may take the register of one. */
static void
emit_registers(struct emitter *e, const struct ax_forest_slice_op *op, uint32_t out)
{
    uint32_t left = op->left - e->temporary_first, right = op->right - e->temporary_first;
    if (out == left) {
        ternary(e, out, right, true, op->select, table_of(op, (struct places){2, 0, 1}));
    } else if (out == right) {
        ternary(e, out, left, true, op->select, table_of(op, (struct places){2, 1, 0}));
    } else {
        load(e, out, op->select);
        ternary(e, out, left, false, right, table_of(op, (struct places){0, 1, 2}));
    }
}

/* One side is a temporary, the other a predicate. */
static void
emit_mixed(struct emitter *e, const struct ax_forest_slice_op *op, uint32_t out)
{
    bool left_first = op->left >= e->temporary_first;
    uint32_t reg = (left_first ? op->left : op->right) - e->temporary_first;
    uint32_t slot = left_first ? op->right : op->left;
    if (out == reg) {
        load(e, SPARE, op->select);
        ternary(e, out, SPARE, true, slot,
                table_of(op, left_first ? (struct places){1, 0, 2} : (struct places){1, 2, 0}));
        return;
    }
    load(e, out, op->select);
    ternary(e, out, reg, true, slot,
            table_of(op, left_first ? (struct places){0, 1, 2} : (struct places){0, 2, 1}));
}

static void
emit_op(struct emitter *e, const struct ax_forest_slice_op *op)
{
    uint32_t out = op->out - e->temporary_first;
    bool left = op->left >= e->temporary_first, right = op->right >= e->temporary_first;
    if (op->left < 2 || op->right < 2) {
        emit_constant(e, op, out);
    } else if (left && right) {
        emit_registers(e, op, out);
    } else if (left || right) {
        emit_mixed(e, op, out);
    } else {
        load(e, SPARE, op->select);
        load(e, out, op->left);
        ternary(e, out, SPARE, true, op->right, table_of(op, (struct places){1, 0, 2}));
    }
}

static void
emit_tree(struct emitter *e, const struct ax_forest_slice *slice,
          const struct ax_forest_slice_tree *tree)
{
    for (uint32_t i = 0; i < tree->op_count; i++)
        emit_op(e, &slice->ops[tree->op_first + i]);
    for (uint32_t p = 0; p < slice->planes; p++) {
        uint32_t reg = SPARE;
        if (tree->plane[p] >= e->temporary_first)
            reg = tree->plane[p] - e->temporary_first;
        else
            load(e, SPARE, tree->plane[p]);
        store(e, e->temporary_first + p, reg);
    }
    *e->at++ = 0xC3; /* ret */
}

/* ---- memory ---- */

static void
code_free(void *arg)
{
    struct ax_forest_code *code = arg;
    munmap(code->memory, code->bytes);
}

/* NULL when memory may not be executable. */
static uint8_t *
write_code(const struct ax_forest_slice *slice, const uint32_t *order, size_t count,
           uint32_t *entry, size_t *out_bytes)
{
    size_t room = (size_t)slice->op_count * OP_BYTES_MAX + count * TREE_BYTES_MAX;
    room = (room + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    uint8_t *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct emitter e = {.at = memory, .temporary_first = slice->temporary_first};
    for (size_t i = 0; i < count; i++) {
        entry[i] = (uint32_t)(e.at - memory);
        emit_tree(&e, slice, &slice->trees[order[i]]);
    }
    size_t used = (size_t)(e.at - memory + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (used < room)
        munmap(memory + used, room - used); /* the room was for the worst case */
    if (mprotect(memory, used, PROT_READ | PROT_EXEC) != 0) {
        munmap(memory, used);
        return NULL;
    }
    *out_bytes = used;
    return memory;
}

ax_status
ax_forest_code_make(struct ax_ctx *ctx, const struct ax_forest_slice *slice, const uint32_t *order,
                    size_t count, struct ax_arena *arena, const struct ax_forest_code **out_code)
{
    *out_code = NULL;
    if (!NATIVE || slice->slot_count - slice->temporary_first > REGISTERS ||
        slice->op_count > INT32_MAX / OP_BYTES_MAX - TREE_BYTES_MAX)
        return AX_OK;
    struct ax_forest_code *code = AX_NEW(arena, struct ax_forest_code);
    uint32_t *entry = AX_NEW_ARRAY(arena, uint32_t, count);
    if (!code || !entry)
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's code");
    code->entry = entry;
    code->memory = write_code(slice, order, count, entry, &code->bytes);
    if (!code->memory)
        return AX_OK;
    if (!ax_arena_defer(arena, code_free, code)) {
        code_free(code);
        return ax_fail(ctx, AX_LIMIT, "no memory for a forest's code");
    }
    *out_code = code;
    return AX_OK;
}

size_t
ax_forest_code_bytes(const struct ax_forest_code *code)
{
    return code->bytes;
}

void
ax_forest_code_run(const struct ax_forest_code *code, size_t place, void *slots)
{
    union {
        const uint8_t *at;
        void (*run)(void *slots);
    } function = {.at = code->memory + code->entry[place]};
    function.run(slots);
}
