/*
 * Which build of the program is running: the identity that the linker gave it.
 *
 * Two programs with the same id do the same. It names what one build keeps and no other may take
 * for its own.
 */
#pragma once

#include "base/str.h"

/* The bytes of the GNU build id, for good; "" where the program was linked without one. */
ax_str ax_build_id(void);
