#include "cli/command.h"

#include "sys/file.h"

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
