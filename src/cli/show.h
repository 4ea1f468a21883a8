/*
 * JSON answers for people: members one a line, lists of objects as tables.
 *
 * Colours only on a terminal. One way of showing for every verb; --json shows the bytes instead.
 */
#pragma once

#include "codec/json.h"

/* colour: escape sequences are written. */
void ax_show(const struct ax_json *json, bool colour, struct ax_writer *out);
