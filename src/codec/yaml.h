/*
 * YAML for people's files (policies, settings), strictly, as the tree that json.h reads.
 *
 * Only what JSON can say is accepted: one document of mappings, sequences and scalars. Refused,
 * with line and column: anchors, aliases, tags, merge keys, several documents, keys that are not
 * scalars, duplicate keys, nesting beyond the limit. A plain scalar is a number when JSON's
 * grammar says so, true, false, null (or ~ or nothing), and text otherwise; what YAML versions
 * read differently (yes, no, on, off, 012, 0x1f, 1_000, +1, .5, .inf) must be quoted or written
 * plainly, and is refused until it is.
 */
#pragma once

#include "codec/json.h"

struct ax_yaml_limits {
    int depth_max;    /* 0: 16 */
    size_t bytes_max; /* 0: 1 MiB */
};

/*
 * text: borrowed. limits: NULL for the defaults. out_json: in ctx->arena; null for an empty text.
 * Fails: INVALID with "line 3, column 7"; LIMIT.
 */
ax_status ax_yaml_parse(struct ax_ctx *ctx, ax_str text, const struct ax_yaml_limits *limits,
                        const struct ax_json **out_json);
