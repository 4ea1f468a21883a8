#include "store/postgres_parts.h"
#include "sys/file.h"
#include "sys/process.h"

enum { VARIABLES_MAX = 64, WORDS_BYTES_MAX = 4096 };

/*
 * The connection as libpq's environment variables: what the URL says, its password too, so that
 * it stands in no argument list. out_name: of the database.
 */
static ax_status
variables_of(struct ax_ctx *ctx, PGconn *pg, const char *out[VARIABLES_MAX + 1],
             const char **out_name)
{
    PQconninfoOption *options = PQconninfo(pg);
    size_t count = 0;
    ax_status status = options ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a copy");
    for (PQconninfoOption *option = options; status == AX_OK && option->keyword; option++) {
        if (!option->envvar || !option->val || !option->val[0] || count == VARIABLES_MAX)
            continue;
        out[count] = ax_str_printf(ctx->arena, "%s=%s", option->envvar, option->val).at;
        if (!out[count++])
            status = ax_fail(ctx, AX_LIMIT, "no memory for a copy");
    }
    out[count] = NULL;
    PQconninfoFree(options);
    *out_name = ax_str_c(ctx->arena, ax_str_of(PQdb(pg)));
    return status == AX_OK && !*out_name ? ax_fail(ctx, AX_LIMIT, "no memory for a copy") : status;
}

static ax_status
run_tool(struct ax_ctx *ctx, const struct ax_postgres_config *config, const char *const *arguments,
         const char *const *environment)
{
    const struct ax_process_config process = {
        .arguments = arguments,
        .environment = environment,
        .input = AX_STR(""),
        .timeout_ms = config->copy_ms_max,
        .output_bytes_max = WORDS_BYTES_MAX,
    };
    struct ax_process_result result;
    ax_status status = ax_process_run(ctx, &process, &result);
    if (status == AX_NOT_FOUND)
        return ax_fail(ctx, AX_UNSUPPORTED,
                       "%s is not installed here: PostgreSQL is copied by its own tools",
                       arguments[0]);
    AX_TRY(status);
    if (result.exit_code == 0)
        return AX_OK;
    ax_str words = ax_str_trim(result.errors);
    return ax_fail(ctx, AX_UNAVAILABLE, "%s: %.*s", arguments[0], AX_FMT(words));
}

ax_status
ax_postgres_backup(struct ax_store *base, struct ax_ctx *ctx, ax_str path)
{
    struct ax_postgres_store *store = (struct ax_postgres_store *)base;
    const char *variables[VARIABLES_MAX + 1], *name;
    struct ax_store_tx *tx;
    ax_str file = ax_str_printf(ctx->arena, "--file=%.*s", AX_FMT(path));
    if (!file.at)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    if (ax_file_exists(path))
        return ax_fail(ctx, AX_CONFLICT, "%.*s exists already", AX_FMT(path));
    AX_TRY(ax_store_begin(base, ctx, AX_STORE_READ, &tx));
    ax_status status =
        variables_of(ctx, ((struct ax_postgres_tx *)tx)->connection->pg, variables, &name);
    ax_store_rollback(tx);
    AX_TRY(status);
    const char *const arguments[] = {"pg_dump",         "--format=custom", "--no-owner",
                                     "--no-privileges", file.at,           NULL};
    status = run_tool(ctx, &store->config, arguments, variables); /* it is durable on return */
    if (status == AX_OK)
        status = ax_file_sync_folder(ctx, ax_path_folder(path));
    if (status != AX_OK) {
        struct ax_ctx aside = ax_ctx_of(ctx->arena);
        ax_ignore(ax_file_remove(&aside, path), "it may not be there");
    }
    return status;
}

static ax_status
check_empty(struct ax_store_tx *tx, struct ax_ctx *ctx)
{
    int64_t count;
    AX_TRY(ax_store_get_i64(
        tx, ctx, AX_STR("select count(*) from pg_tables where schemaname = current_schema()"),
        AX_STORE_NO_PARAMS, &count));
    return count == 0 ? AX_OK
                      : ax_fail(ctx, AX_CONFLICT,
                                "the database has %lld tables already: a copy is brought back "
                                "into an empty one",
                                (long long)count);
}

ax_status
ax_postgres_restore(struct ax_ctx *ctx, const struct ax_postgres_config *config, ax_str path)
{
    ax_auto(ax_store_close) struct ax_store *store = NULL;
    const char *variables[VARIABLES_MAX + 1], *name;
    struct ax_store_tx *tx;
    const char *file = ax_str_c(ctx->arena, path);
    if (!file)
        return ax_fail(ctx, AX_LIMIT, "no memory for a path");
    AX_TRY(ax_postgres_open(ctx, config, &store));
    AX_TRY(ax_store_begin(store, ctx, AX_STORE_READ, &tx));
    ax_status status = check_empty(tx, ctx);
    if (status == AX_OK)
        status = variables_of(ctx, ((struct ax_postgres_tx *)tx)->connection->pg, variables, &name);
    ax_store_rollback(tx);
    AX_TRY(status);
    const char *const arguments[] = {"pg_restore",
                                     "--exit-on-error",
                                     "--single-transaction",
                                     "--no-owner",
                                     "--no-privileges",
                                     "--dbname",
                                     name,
                                     file,
                                     NULL};
    status = run_tool(ctx, config, arguments, variables);
    return status == AX_UNAVAILABLE ? ax_explain(ctx, AX_CORRUPT, "bring back %s", file) : status;
}
