/*
 * The signature: how rows of a dataset look to a model, written once for training and serving.
 *
 * A row's features were encoded at ingestion by the frame's tables; the signature
 * (docs/formats.md section 3) says these tables, the missing rule and the domain in JSON, and
 * serving encodes by it (serving/signature.h). So the same applicant gives the same bytes in both
 * places. This module only writes; reading is serving's.
 */
#pragma once

#include "dataops/schema.h"
#include "numeric/frame.h"

/*
 * The signature of models trained on these rows: JSON text, in ctx->arena.
 *
 * training: the training part of a split; its columns are the features, in order.
 * Domains are the declared min and max, else those of the training rows: what lies outside was
 * not learnt. missing: as declared, else "accept" for columns that lack a value in these rows.
 * unknown: as declared, else "refuse".
 * Fails: INVALID when a feature is the schema's target, key, protected or ignored (R70); LIMIT.
 */
ax_status ax_encode_signature(struct ax_ctx *ctx, const struct ax_schema *schema,
                              const struct ax_frame *training, ax_str *out_json);
