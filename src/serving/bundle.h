/*
 * A version of a model as files: manifest, model, reference population, self-test.
 *
 * docs/formats.md section 2. The version's digest is the digest of its canonical manifest, which
 * names the files by theirs; so one digest stands for all of it. This module reads, checks and
 * makes bundles; where they are kept is the registry's business.
 */
#pragma once

#include "serving/signature.h"
#include "sys/crypto.h"

struct ax_engine_config;

enum ax_bundle_file { AX_BUNDLE_MODEL, AX_BUNDLE_REFERENCE, AX_BUNDLE_SELF_TEST, AX_BUNDLE_FILES };

const char *ax_bundle_file_name(enum ax_bundle_file file); /* "model", "reference", "self_test" */

struct ax_bundle {
    ax_str manifest;            /* canonical JSON */
    ax_digest digest;           /* of manifest */
    const struct ax_json *json; /* the manifest, read */
    bool present[AX_BUNDLE_FILES];
    ax_digest digests[AX_BUNDLE_FILES];
    ax_str files[AX_BUNDLE_FILES];         /* their bytes; "" when only the manifest was read */
    ax_str format;                         /* of the model file, as the engine names it */
    const struct ax_engine_config *engine; /* how its engine is opened; NULL: as it is */
};

/* Whether bytes are a bundle's container rather than a bare model file. */
bool ax_bundle_is_container(ax_str bytes);

/*
 * Reads a container and checks every file against the manifest.
 * Fails: INVALID (what is wrong and where), CORRUPT (a file has another digest), LIMIT.
 */
ax_status ax_bundle_read(struct ax_ctx *ctx, ax_str container, struct ax_bundle *out_bundle);

/* Reads a manifest alone; the files follow from its digests. Fails: INVALID, LIMIT. */
ax_status ax_bundle_read_manifest(struct ax_ctx *ctx, ax_str manifest,
                                  struct ax_bundle *out_bundle);

/* What a manifest is made of, besides the files' digests and sizes. JSON texts may be "". */
struct ax_bundle_parts {
    ax_str files[AX_BUNDLE_FILES]; /* the model must be there; "" for those that are not */
    ax_str format, library;
    const struct ax_signature *signature;
    ax_str reference_method;
    ax_str lineage, metrics; /* JSON objects */
    ax_str description;
};

/* Manifest and digest of these parts; files are borrowed by the result. */
ax_status ax_bundle_make(struct ax_ctx *ctx, const struct ax_bundle_parts *parts,
                         struct ax_bundle *out_bundle);

/*
 * What the engine reads from a bare model file: the file, its format and library, and a signature
 * that may be changed before a bundle is made of them. Fails: as ax_engine_open.
 */
ax_status ax_bundle_describe(struct ax_ctx *ctx, ax_str model, struct ax_bundle_parts *out_parts,
                             struct ax_signature **out_signature);

/*
 * A bundle around a bare model file: opens it with the engine, takes names and categories from
 * there. Fails: as ax_engine_open.
 */
ax_status ax_bundle_of_model(struct ax_ctx *ctx, ax_str model, struct ax_bundle *out_bundle);

/* The container, in ctx->arena. */
ax_status ax_bundle_write(struct ax_ctx *ctx, const struct ax_bundle *bundle,
                          ax_str *out_container);
