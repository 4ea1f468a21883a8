#include "store/migrate.h"

#include "base/number.h"
#include "sys/clock.h"
#include "sys/crypto.h"

extern const struct ax_migrate_file ax_migrate_files[]; /* made from schema/ by tools/embed.py */
extern const size_t ax_migrate_file_count;

enum { VERSION_MAX = 9999 };

/* The number before the name, when the file is of this dialect. */
static bool
file_of_dialect(const struct ax_migrate_file *file, enum ax_store_dialect dialect,
                int64_t *out_number)
{
    ax_str suffix = dialect == AX_STORE_SQLITE ? AX_STR(".sqlite.sql") : AX_STR(".postgres.sql");
    if (file->name.len <= 5 || !ax_str_ends(file->name, suffix))
        return false;
    ax_str digits = {file->name.at, 4};
    while (digits.len > 1 && digits.at[0] == '0')
        digits = ax_str_from(digits, 1);
    return ax_parse_i64(digits, out_number);
}

static const struct ax_migrate_file *
find_file(const struct ax_migrate_file *files, size_t file_count, enum ax_store_dialect dialect,
          int64_t number)
{
    int64_t found;
    for (size_t i = 0; i < file_count; i++)
        if (file_of_dialect(&files[i], dialect, &found) && found == number)
            return &files[i];
    return NULL;
}

/* What the database has: how many changes, and whether each is the one this program knows. */
static ax_status
check_applied(struct ax_store_tx *tx, struct ax_ctx *ctx, const struct ax_migrate_file *files,
              size_t file_count, int64_t *out_version)
{
    enum ax_store_dialect dialect = ax_store_dialect(ax_store_of(tx));
    struct ax_store_rows *rows;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    *out_version = 0;
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select version, digest from schema_migrations order by version"),
                          AX_STORE_NO_PARAMS, &rows));
    while (ax_store_next(rows)) {
        int64_t number = ax_store_read_i64(rows, 0);
        ax_str digest = ax_store_read_text(rows, 1);
        const struct ax_migrate_file *file = find_file(files, file_count, dialect, number);
        if (!file)
            return ax_fail(ctx, AX_UNSUPPORTED,
                           "the database has schema %lld, which this program does not know: it is "
                           "older than the database",
                           (long long)number);
        if (!ax_str_eq(digest, ax_digest_hex(ax_sha256(file->bytes), hex)))
            return ax_fail(ctx, AX_CONFLICT,
                           "schema change %lld was applied with another text than %.*s has here",
                           (long long)number, AX_FMT(file->name));
        *out_version = number;
    }
    return ax_store_finish(rows);
}

static ax_status
apply(struct ax_store_tx *tx, struct ax_ctx *ctx, int64_t number,
      const struct ax_migrate_file *file)
{
    char hex[AX_DIGEST_HEX_BYTES + 1];
    AX_TRY(ax_store_script(tx, ctx, file->bytes));
    return ax_store_run(tx, ctx,
                        AX_STR("insert into schema_migrations (version, name, digest, applied_ns) "
                               "values ($1, $2, $3, $4)"),
                        AX_STORE_PARAMS(ax_store_i64(number), ax_store_text(file->name),
                                        ax_store_text(ax_digest_hex(ax_sha256(file->bytes), hex)),
                                        ax_store_i64(ax_clock_real_ns())),
                        NULL);
}

/* One change, or none when the database is up to date: *out_done. */
static ax_status
step(struct ax_store *store, struct ax_ctx *ctx, const struct ax_migrate_file *files,
     size_t file_count, int *out_version, bool *out_done)
{
    static const char table[] = ("create table if not exists schema_migrations ("
                                 "version integer primary key, name text not null, "
                                 "digest text not null, applied_ns bigint not null)");
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t version;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_WRITE, &tx)); /* another program waits here */
    AX_TRY(ax_store_run(tx, ctx, ax_str_of(table), AX_STORE_NO_PARAMS, NULL));
    AX_TRY(check_applied(tx, ctx, files, file_count, &version));
    const struct ax_migrate_file *file =
        find_file(files, file_count, ax_store_dialect(store), version + 1);
    *out_version = (int)version;
    *out_done = !file;
    if (file) {
        ax_status status = apply(tx, ctx, version + 1, file);
        if (status != AX_OK)
            return ax_explain(ctx, status, "schema change %.*s", AX_FMT(file->name));
    }
    return ax_store_commit(ax_take(tx), ctx);
}

ax_status
ax_migrate_with(struct ax_store *store, struct ax_ctx *ctx, const struct ax_migrate_file *files,
                size_t file_count, int *out_version)
{
    bool done = false;
    for (int i = 0; i < VERSION_MAX && !done; i++)
        AX_TRY(step(store, ctx, files, file_count, out_version, &done));
    return AX_OK;
}

ax_status
ax_migrate(struct ax_store *store, struct ax_ctx *ctx, int *out_version)
{
    return ax_migrate_with(store, ctx, ax_migrate_files, ax_migrate_file_count, out_version);
}

ax_status
ax_migrate_found(struct ax_store *store, struct ax_ctx *ctx, bool *out_found)
{
    static const char sqlite[] = "select count(*) from sqlite_schema where type = 'table' and "
                                 "name = 'schema_migrations'";
    static const char postgres[] = "select count(*) from pg_tables where schemaname = "
                                   "current_schema() and tablename = 'schema_migrations'";
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    int64_t count;
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_get_i64(
        tx, ctx, ax_str_of(ax_store_dialect(store) == AX_STORE_SQLITE ? sqlite : postgres),
        AX_STORE_NO_PARAMS, &count));
    *out_found = count > 0;
    return AX_OK;
}
