/*
 * The multiplexers of K1's trees as machine code, for AVX-512: the bits of a tree's leaf codes
 * from the predicates, without an interpreter.
 *
 * A program (forest_slice.h) is a straight line, so every temporary can be a register: an operation
 * is one vpternlogq whose select is a memory operand, and whose constants are folded into the truth
 * table. Five instructions are all there is. The memory is written first and made executable
 * afterwards, never both. Who forbids executable memory gets none, and no code.
 *
 * Off unless asked for: a process that makes its own code is what hardening policies look for.
 */
#pragma once

#include "engine/forest_slice.h"

enum { AX_FOREST_CODE_REGISTERS = 31 }; /* temporaries that a program may use */

struct ax_forest_code;

/*
 * A function for each tree, in the given order: it leaves plane p of the tree's codes in slot
 * temporary_first + p. Slots are 64 bytes.
 *
 * slice: not spread. order: of the trees; count of them. arena: owns the code.
 * *out_code: NULL when a program needs more registers, when this is no x86-64, or when executable
 * memory is refused. Fails: LIMIT.
 */
ax_status ax_forest_code_make(struct ax_ctx *ctx, const struct ax_forest_slice *slice,
                              const uint32_t *order, size_t count, struct ax_arena *arena,
                              const struct ax_forest_code **out_code);

size_t ax_forest_code_bytes(const struct ax_forest_code *code);

/* Runs the tree at `place` of the order. The machine has AVX-512F. */
void ax_forest_code_run(const struct ax_forest_code *code, size_t place, void *slots);
