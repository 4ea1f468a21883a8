/*
 * The kill switch: stops all, or one deployment, model or client, at once and until released.
 *
 * Throwing it sets the latch in memory first, so that the next request is stopped, and writes it to
 * a file before it returns, so that it survives a restart (R80). A file that cannot be understood
 * means that everything is stopped: an unknown state fails closed. Releasing needs an approved
 * proposal upstairs; here is only the latch. Any thread.
 */
#pragma once

#include <stdint.h>

#include "base/writer.h"
#include "codec/json.h"

struct ax_kill_switch;

enum { AX_KILL_LATCHES_MAX = 1024 };

struct ax_kill_latch {
    ax_str scope; /* "all", "deployment:credit", "model:credit", "client:loans" */
    ax_str reason;
    ax_str actor; /* who threw it */
    int64_t thrown_ns;
};

/*
 * path: of the latch file; absent means that nothing is stopped.
 * A broken file is no failure: the switch opens with everything stopped, and says why in the
 * reason of its latch. Fails: LIMIT, DENIED, UNAVAILABLE.
 */
ax_status ax_kill_switch_open(struct ax_ctx *ctx, ax_str path, struct ax_kill_switch **out_switch);
void ax_kill_switch_close(struct ax_kill_switch *kill);
AX_DEFINE_AUTO(struct ax_kill_switch, ax_kill_switch_close);

/*
 * Stops the scope. The latch holds in this process also when it cannot be written; then it fails
 * and the caller says that it would not survive a restart.
 * Fails: INVALID (no such kind of scope), LIMIT, UNAVAILABLE.
 */
ax_status ax_kill_switch_throw(struct ax_kill_switch *kill, struct ax_ctx *ctx,
                               const struct ax_kill_latch *latch);

/* Lets the scope run again; durable when it returns. Fails: NOT_FOUND; else it stays stopped. */
ax_status ax_kill_switch_release(struct ax_kill_switch *kill, struct ax_ctx *ctx, ax_str scope);

/*
 * Whether a request is stopped by any latch: "all", or that of its deployment, model or client.
 * names: "" for what does not apply. The words of the latch go to ctx when it is (DENIED).
 */
struct ax_kill_subject {
    ax_str deployment, model, client;
};
ax_status ax_kill_switch_check(struct ax_kill_switch *kill, struct ax_ctx *ctx,
                               const struct ax_kill_subject *subject);

/* The latches as a JSON array. */
void ax_kill_switch_show(struct ax_kill_switch *kill, struct ax_json_writer *json);
