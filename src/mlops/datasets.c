#include "mlops/datasets.h"

#include "base/alloc.h"
#include "base/number.h"
#include "dataops/encode.h"
#include "dataops/protected_store.h"
#include "event/outbox.h"
#include "sys/clock.h"
#include "sys/file.h"

enum { FEATURES_BYTES_MAX = 1 << 30, NAME_BYTES_MAX = 128 };

struct ax_datasets {
    struct ax_datasets_config config;
};

ax_status
ax_datasets_open(struct ax_ctx *ctx, const struct ax_datasets_config *config,
                 struct ax_datasets **out_datasets)
{
    struct ax_datasets *datasets = ax_alloc(sizeof *datasets, 1);
    if (!datasets)
        return ax_fail(ctx, AX_LIMIT, "no memory for datasets");
    datasets->config = *config;
    *out_datasets = datasets;
    return AX_OK;
}

void
ax_datasets_close(struct ax_datasets *datasets)
{
    ax_free(datasets);
}

/* ---- ingesting ---- */

static ax_status
protected_place(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_digest digest,
                struct ax_protected_place *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    out->path =
        ax_str_printf(ctx->arena, "%.*s/%s.sealed", AX_FMT(datasets->config.protected_folder),
                      ax_digest_hex(digest, hex).at);
    out->key_path = datasets->config.protected_key;
    out->dataset = digest;
    return out->path.at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

/* Sealed before the row says that the version is there. */
static ax_status
keep_protected(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_digest digest,
               const struct ax_frame *protected)
{
    struct ax_protected_place place;
    if (protected->column_count == 0)
        return AX_OK;
    AX_TRY(protected_place(datasets, ctx, digest, &place));
    AX_TRY(ax_file_make_folders(ctx, datasets->config.protected_folder));
    return ax_protected_store_write(ctx, &place, protected);
}

static ax_status
insert(struct ax_datasets *datasets, struct ax_ctx *ctx, const struct ax_data_version *version,
       ax_digest features, struct ax_dataset_record *record)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    char hex[AX_DIGEST_HEX_BYTES + 1], features_hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str seed = ax_str_printf(ctx->arena, "%llu", (unsigned long long)record->shares.seed);
    AX_TRY(ax_store_begin(datasets->config.store, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(ax_store_get_i64(
        tx, ctx, AX_STR("select coalesce(max(version), 0) from datasets where name = $1"),
        AX_STORE_PARAMS(ax_store_text(record->name)), &record->version));
    record->version++;
    ax_str object =
        ax_str_printf(ctx->arena, "%.*s/%lld", AX_FMT(record->name), (long long)record->version);
    if (!seed.at || !object.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a dataset");
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into datasets (name, version, digest, manifest, features, train, "
               "validation, seed, created_by, created_ns) values "
               "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"),
        AX_STORE_PARAMS(ax_store_text(record->name), ax_store_i64(record->version),
                        ax_store_text(ax_digest_hex(version->digest, hex)),
                        ax_store_text(version->manifest),
                        ax_store_text(ax_digest_hex(features, features_hex)),
                        ax_store_f64(record->shares.train), ax_store_f64(record->shares.validation),
                        ax_store_text(seed), ax_store_text(record->created_by),
                        ax_store_i64(record->created_ns)),
        NULL));
    const struct ax_event event = {
        .kind = AX_EVENT_DATASET,
        .actor = record->created_by,
        .actor_roles = ctx->actor->roles,
        .object = object,
        .object_hash = version->digest,
        .build_id = AX_STR("axiom " AX_VERSION),
    };
    AX_TRY(ax_outbox_put(tx, ctx, NULL, &event, AX_STR("")));
    return ax_store_commit(ax_take(tx), ctx);
}

static ax_status
read_row(struct ax_ctx *ctx, struct ax_store_rows *rows, struct ax_dataset_record *out)
{
    out->name = ax_store_read_text(rows, 0);
    out->version = ax_store_read_i64(rows, 1);
    ax_str digest = ax_store_read_text(rows, 2);
    out->manifest = ax_store_read_text(rows, 3);
    out->shares.train = ax_store_read_f64(rows, 4);
    out->shares.validation = ax_store_read_f64(rows, 5);
    ax_str text = ax_store_read_text(rows, 6);
    out->created_by = ax_store_read_text(rows, 7);
    out->created_ns = ax_store_read_i64(rows, 8);
    if (!ax_digest_parse(digest, &out->digest) || !ax_parse_u64(text, &out->shares.seed))
        return ax_fail(ctx, AX_CORRUPT, "a row of the datasets is damaged");
    return AX_OK;
}

#define COLUMNS                                                                                    \
    "select name, version, digest, manifest, train, validation, seed, created_by, created_ns, "    \
    "features from datasets "

/* What a query found: the first row, which has the columns above. */
struct one {
    struct ax_dataset_record record;
    ax_str features;
    bool found;
};

static ax_status
query_one(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str sql, ax_store_params params,
          struct one *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(datasets->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, sql, params, &rows));
    out->found = ax_store_next(rows);
    ax_status status = AX_OK;
    if (out->found) {
        status = read_row(ctx, rows, &out->record);
        out->features = ax_store_read_text(rows, 9);
    }
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}

/* The same rows under the same description and split are the version they are. */
static ax_status
find_same(struct ax_datasets *datasets, struct ax_ctx *ctx, const struct ax_dataset_record *wanted,
          ax_digest digest, struct one *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    ax_str seed = ax_str_printf(ctx->arena, "%llu", (unsigned long long)wanted->shares.seed);
    if (!seed.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a dataset");
    return query_one(datasets, ctx,
                     AX_STR(COLUMNS "where name = $1 and digest = $2 and train = $3 and "
                                    "validation = $4 and seed = $5"),
                     AX_STORE_PARAMS(ax_store_text(wanted->name),
                                     ax_store_text(ax_digest_hex(digest, hex)),
                                     ax_store_f64(wanted->shares.train),
                                     ax_store_f64(wanted->shares.validation), ax_store_text(seed)),
                     out);
}

ax_status
ax_datasets_ingest(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str schema_text,
                   const struct ax_data_shares *shares, ax_str csv,
                   struct ax_dataset_record *out_record)
{
    struct ax_schema schema;
    struct ax_batch batch;
    struct ax_data_version version;
    struct ax_data_split split;
    struct one same;
    ax_digest features;
    AX_TRY(ax_schema_parse(ctx, schema_text, &schema));
    if (schema.name.len == 0 || schema.name.len > NAME_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "the schema's `name` must have 1 to %d bytes",
                       NAME_BYTES_MAX);
    AX_TRY(ax_ingestion_csv(ctx, &schema, csv, &batch));
    AX_TRY(ax_data_version_of(ctx, &batch, &version));
    AX_TRY(ax_data_version_split(ctx, &batch.features, shares, &split)); /* it can be made */
    *out_record = (struct ax_dataset_record){
        .name = schema.name,
        .digest = version.digest,
        .manifest = version.manifest,
        .shares = *shares,
        .created_by = ctx->actor->id,
        .created_ns = ax_clock_real_ns(),
    };
    AX_TRY(find_same(datasets, ctx, out_record, version.digest, &same));
    if (same.found) {
        *out_record = same.record;
        return AX_OK;
    }
    AX_TRY(ax_blob_put(datasets->config.blob, ctx, version.features, &features));
    AX_TRY(keep_protected(datasets, ctx, version.digest, &batch.protected));
    return insert(datasets, ctx, &version, features, out_record);
}

/* ---- reading ---- */

static ax_status
find(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name, int64_t version,
     struct ax_dataset_record *out, ax_str *out_features)
{
    struct one one;
    AX_TRY(query_one(datasets, ctx,
                     AX_STR(COLUMNS "where name = $1 and ($2 = 0 or version = $2) "
                                    "order by version desc"),
                     AX_STORE_PARAMS(ax_store_text(name), ax_store_i64(version)), &one));
    if (one.found) {
        *out = one.record;
        if (out_features)
            *out_features = one.features;
        return AX_OK;
    }
    return version ? ax_fail(ctx, AX_NOT_FOUND, "no dataset \"%.*s\" version %lld", AX_FMT(name),
                             (long long)version)
                   : ax_fail(ctx, AX_NOT_FOUND, "no dataset \"%.*s\"", AX_FMT(name));
}

ax_status
ax_datasets_find(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name, int64_t version,
                 struct ax_dataset_record *out_record)
{
    return find(datasets, ctx, name, version, out_record, NULL);
}

ax_status
ax_datasets_read(struct ax_datasets *datasets, struct ax_ctx *ctx,
                 const struct ax_dataset_record *record, struct ax_dataset_parts *out_parts)
{
    struct ax_dataset_record again;
    struct ax_schema schema;
    ax_digest digest;
    ax_str hex = AX_STR(""), bytes;
    AX_TRY(find(datasets, ctx, record->name, record->version, &again, &hex));
    if (!ax_digest_parse(hex, &digest))
        return ax_fail(ctx, AX_CORRUPT, "a row of the datasets is damaged");
    AX_TRY(ax_blob_get(datasets->config.blob, ctx, digest, FEATURES_BYTES_MAX, &bytes));
    AX_TRY(ax_data_version_read(ctx, again.manifest, bytes, &out_parts->features));
    AX_TRY(ax_data_version_schema(ctx, again.manifest, &schema));
    AX_TRY(ax_data_version_split(ctx, &out_parts->features, &again.shares, &out_parts->split));
    return ax_encode_signature(ctx, &schema, &out_parts->split.train, &out_parts->signature);
}

ax_status
ax_datasets_protected(struct ax_datasets *datasets, struct ax_ctx *ctx,
                      const struct ax_dataset_record *record, const uint64_t *row_ids,
                      size_t row_count, struct ax_frame *out_attributes)
{
    struct ax_protected_place place;
    struct ax_frame all;
    AX_TRY(protected_place(datasets, ctx, record->digest, &place));
    AX_TRY(ax_protected_store_read(ctx, &place, &all));
    return ax_protected_store_join(ctx, &all, row_ids, row_count, out_attributes);
}

/* ---- showing ---- */

static void
show(const struct ax_dataset_record *record, bool whole, struct ax_json_writer *out)
{
    char hex[AX_DIGEST_HEX_BYTES + 1], time[AX_CLOCK_TEXT_BYTES];
    ax_json_begin_object(out);
    ax_json_member_text(out, "name", record->name);
    ax_json_member_i64(out, "version", record->version);
    ax_json_member_text(out, "digest", ax_digest_hex(record->digest, hex));
    ax_json_member_f64(out, "train", record->shares.train);
    ax_json_member_f64(out, "validation", record->shares.validation);
    ax_json_key(out, "seed");
    ax_json_put_u64(out, record->shares.seed);
    ax_json_member_text(out, "created_by", record->created_by);
    ax_json_member_text(out, "created", ax_clock_format(record->created_ns, time));
    if (whole) {
        ax_json_key(out, "manifest");
        ax_json_put_raw(out, record->manifest);
    }
    ax_json_end_object(out);
}

ax_status
ax_datasets_show(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name, int64_t version,
                 struct ax_json_writer *out)
{
    struct ax_dataset_record record;
    AX_TRY(find(datasets, ctx, name, version, &record, NULL));
    show(&record, true, out);
    return AX_OK;
}

ax_status
ax_datasets_show_part(struct ax_datasets *datasets, struct ax_ctx *ctx, ax_str name,
                      int64_t version, ax_str part, struct ax_json_writer *out)
{
    struct ax_dataset_record record;
    struct ax_dataset_parts parts;
    AX_TRY(find(datasets, ctx, name, version, &record, NULL));
    AX_TRY(ax_datasets_read(datasets, ctx, &record, &parts));
    const struct {
        const char *name;
        const struct ax_frame *rows;
    } known[] = {{"train", &parts.split.train},
                 {"validation", &parts.split.validation},
                 {"held_out", &parts.split.held_out}};
    for (size_t i = 0; i < AX_COUNT_OF(known); i++) {
        if (!ax_str_eq(part, ax_str_of(known[i].name)))
            continue;
        ax_json_begin_object(out);
        ax_json_member_text(out, "part", part);
        ax_json_key(out, "rows");
        ax_json_begin_array(out);
        for (size_t r = 0; r < known[i].rows->row_count; r++)
            ax_json_put_u64(out, known[i].rows->row_ids[r]);
        ax_json_end_array(out);
        ax_json_end_object(out);
        return AX_OK;
    }
    return ax_fail(ctx, AX_INVALID, "`part` must be train, validation or held_out, not \"%.*s\"",
                   AX_FMT(part));
}

ax_status
ax_datasets_list(struct ax_datasets *datasets, struct ax_ctx *ctx, struct ax_json_writer *out)
{
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    struct ax_store_rows *rows;
    AX_TRY(ax_store_begin(datasets->config.store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx, AX_STR(COLUMNS "order by name, version"), AX_STORE_NO_PARAMS,
                          &rows));
    ax_status status = AX_OK;
    ax_json_begin_object(out);
    ax_json_key(out, "datasets");
    ax_json_begin_array(out);
    while (status == AX_OK && ax_store_next(rows)) {
        struct ax_dataset_record record;
        status = read_row(ctx, rows, &record);
        if (status == AX_OK)
            show(&record, false, out);
    }
    ax_json_end_array(out);
    ax_json_end_object(out);
    ax_status end = ax_store_finish(rows);
    return status == AX_OK ? end : status;
}
