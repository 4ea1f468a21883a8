/*
 * Tables of settings: name, meaning, unit, default, bounds, offset. One table a module.
 *
 * The table parses, checks, documents and prints; a module gets its own struct and knows nothing
 * of files. The file is YAML's simplest form: `module.name: value` lines or one level of nesting.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"

enum ax_setting_kind {
    AX_SETTING_COUNT,       /* int64_t */
    AX_SETTING_BYTES,       /* int64_t; accepts 64KiB, 1MiB, 2GiB */
    AX_SETTING_DURATION_MS, /* int64_t; accepts 250ms, 10s, 5m, 1h */
    AX_SETTING_SWITCH,      /* bool; true or false */
    AX_SETTING_TEXT,        /* ax_str, in the arena given to defaults/set */
    AX_SETTING_NUMBER,      /* double */
};

struct ax_setting {
    const char *name;
    const char *meaning;
    enum ax_setting_kind kind;
    size_t offset;
    double initial; /* for all kinds but TEXT */
    double min, max;
    const char *initial_text; /* for TEXT */
};

struct ax_settings { /* a module's table, with its section's name */
    const char *section;
    const struct ax_setting *rows;
    size_t row_count;
};

void ax_settings_defaults(const struct ax_settings *settings, void *config);

/*
 * One value by name; a text holds no quotes and no control characters.
 *
 * Fails: NOT_FOUND (names the near one), INVALID (says the bounds), LIMIT.
 */
ax_status ax_settings_set(struct ax_ctx *ctx, const struct ax_settings *settings, void *config,
                          ax_str name, ax_str value);

/* Calls found(arg, ctx, section.name, value, line) for each. Fails: INVALID with the line. */
ax_status ax_settings_read(struct ax_ctx *ctx, ax_str file_text,
                           ax_status (*found)(void *arg, struct ax_ctx *ctx, ax_str section,
                                              ax_str name, ax_str value, int line),
                           void *arg);

/* Markdown table: name, meaning, default, bounds. */
void ax_settings_document(const struct ax_settings *settings, struct ax_writer *out);

/* `section.name: value` lines as they are now: a file that reads back as the same. */
void ax_settings_print(const struct ax_settings *settings, const void *config,
                       struct ax_writer *out);
