#include "sys/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/fault.h"
#include "codec/json.h"
#include "sys/clock.h"

enum { LINE_BYTES_MAX = 16 << 10 };

enum { ALL_LEVELS = (1 << (AX_LOG_ERROR + 1)) - 1 };

static _Atomic unsigned written = ALL_LEVELS & ~(1U << AX_LOG_DEBUG);

void
ax_log_levels_set(unsigned levels)
{
    atomic_store_explicit(&written, levels & ALL_LEVELS, memory_order_relaxed);
}

unsigned
ax_log_levels(void)
{
    return atomic_load_explicit(&written, memory_order_relaxed);
}

void
ax_log_level_set(enum ax_log_level level)
{
    ax_log_levels_set(ALL_LEVELS & ~((1U << level) - 1));
}

static void
begin(struct ax_json_writer *json, enum ax_log_level level, const struct ax_ctx *ctx,
      const char *event)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char time[AX_CLOCK_TEXT_BYTES];
    ax_json_begin_object(json);
    ax_json_member_text(json, "time", ax_clock_format(ax_clock_real_ns(), time));
    ax_json_member_text(json, "level", ax_str_of(names[level]));
    ax_json_member_text(json, "event", ax_str_of(event));
    if (ctx && ctx->trace_id.len)
        ax_json_member_text(json, "trace_id", ctx->trace_id);
    if (ctx && level >= AX_LOG_WARN && ctx->error[0])
        ax_json_member_text(json, "error", ax_str_of(ctx->error));
}

/* One write, so that lines of several threads do not mix. */
static void
end(struct ax_json_writer *json)
{
    ax_json_end_object(json);
    ax_writer_char(json->out, '\n');
    if (json->out->status == AX_OK && write(STDERR_FILENO, json->out->at, json->out->len) < 0)
        return; /* nobody listens: there is no better place to say so */
}

void
ax_log(enum ax_log_level level, const struct ax_ctx *ctx, const char *event, ...)
{
    if (!(ax_log_levels() >> level & 1))
        return;
    ax_fault_benign_begin(); /* what cannot be told for want of memory stops nothing */
    ax_writer_auto struct ax_writer line = ax_writer_of(LINE_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&line);
    begin(&json, level, ctx, event);
    va_list fields;
    va_start(fields, event);
    for (const char *name; (name = va_arg(fields, const char *));)
        ax_json_member_text(&json, name, ax_str_of(va_arg(fields, const char *)));
    va_end(fields);
    if (line.len + 2 > LINE_BYTES_MAX || line.status != AX_OK) { /* too long: without the fields */
        ax_writer_clear(&line);
        json = ax_json_writer_of(&line);
        begin(&json, level, ctx, event);
        ax_json_member_bool(&json, "cut", true);
    }
    end(&json);
    ax_fault_benign_end();
}
