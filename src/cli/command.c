#include "cli/command.h"

#include <unistd.h>

#include "engine/engine.h"

enum { INPUT_BYTES_MAX = 1 << 30 };

static const struct ax_option *
find(const struct ax_option *options, size_t option_count, ax_str name)
{
    for (size_t i = 0; i < option_count; i++)
        if (ax_str_eq(ax_str_of(options[i].name), name))
            return &options[i];
    return NULL;
}

ax_status
ax_command_options(struct ax_ctx *ctx, int argument_count, char **arguments,
                   const struct ax_option *options, size_t option_count, ax_str *out_positional)
{
    bool positional = false;
    for (int i = 0; i < argument_count; i++) {
        ax_str argument = ax_str_of(arguments[i]);
        if (!ax_str_starts(argument, AX_STR("--"))) {
            if (!out_positional || positional)
                return ax_fail(ctx, AX_INVALID, "unexpected argument `%s`", arguments[i]);
            *out_positional = argument;
            positional = true;
            continue;
        }
        const struct ax_option *option = find(options, option_count, argument);
        if (!option)
            return ax_fail(ctx, AX_INVALID, "unknown option `%s`", arguments[i]);
        if (option->out_given) {
            *option->out_given = true;
            continue;
        }
        if (++i == argument_count)
            return ax_fail(ctx, AX_INVALID, "option `%s` needs a value", option->name);
        *option->out_value = ax_str_of(arguments[i]);
    }
    return AX_OK;
}

ax_status
ax_command_read(struct ax_ctx *ctx, ax_str path, ax_str *out_bytes)
{
    return ax_file_read_all(ctx, path, INPUT_BYTES_MAX, out_bytes);
}

ax_status
ax_command_model(struct ax_ctx *ctx, ax_str path, const struct ax_engine_config *config,
                 struct ax_engine **out_engine)
{
    ax_str bytes;
    AX_TRY(ax_command_read(ctx, path, &bytes));
    ax_status status = ax_engine_open(ctx, bytes, config, out_engine);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(path));
}

static ax_status
table_read(void *arg, struct ax_ctx *ctx, char *out, size_t room, size_t *out_len)
{
    struct ax_command_table *table = arg;
    return ax_file_read_next(ctx, table->file, out, room, out_len);
}

ax_status
ax_command_table_open(struct ax_ctx *ctx, ax_str path, struct ax_command_table *out_table)
{
    struct ax_csv_source source = {table_read, out_table};
    *out_table = (struct ax_command_table){.file = {STDIN_FILENO}};
    if (!ax_str_eq(path, AX_STR("-")))
        AX_TRY(ax_file_open(ctx, path, AX_FILE_READ, &out_table->file));
    ax_status status = ax_file_size(ctx, out_table->file, &out_table->bytes);
    if (status == AX_OK)
        status = ax_csv_stream_open(ctx, source, NULL, 0, &out_table->stream);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%.*s", AX_FMT(path));
}

void
ax_command_table_close(struct ax_command_table *table)
{
    if (table->file.fd > STDIN_FILENO)
        ax_file_close(&table->file);
}
