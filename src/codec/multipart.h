/*
 * A form's parts (RFC 7578): where one field's bytes lie in a multipart/form-data body.
 *
 * It finds; it copies nothing and decodes nothing. Source: RFC 2046 section 5.1, RFC 7578.
 */
#pragma once

#include "base/ctx.h"

/*
 * The bytes of the first part whose name this is.
 *
 * content_type: the header, with its boundary. out_bytes: a slice of body.
 * Fails: INVALID when there is no boundary, the body is not well formed, or no part is so named.
 */
ax_status ax_multipart_find(struct ax_ctx *ctx, ax_str content_type, ax_str body, ax_str name,
                            ax_str *out_bytes);
