/*
 * What browsers are told and asked: which other origins' pages may call (CORS), and headers that
 * keep an answer from being taken for a page.
 *
 * Off unless origins are named. Where there are no credentials (development mode) a page of another
 * origin that was not named may change nothing, though the browser would let it send.
 *
 * Source: WHATWG Fetch, section 3.3; OWASP Secure Headers.
 */
#pragma once

#include "api/route.h"

struct ax_browser_config { /* section "cors" */
    ax_str origins;
    int64_t max_age_s;
};

const struct ax_settings *ax_browser_settings(void);

/* Fails: INVALID with the one that is no origin; LIMIT. */
ax_status ax_browser_open(struct ax_ctx *ctx, const struct ax_browser_config *config,
                          struct ax_browser **out_browser);
void ax_browser_close(struct ax_browser *browser);

/* Adds the headers that this request's client asks for; anew after the answer was begun again. */
void ax_browser_headers(struct ax_call *call);

/*
 * At the head: 204 when this was a preflight and its answer is built, 403 when a page may not do
 * this, else 0.
 */
[[nodiscard]] int ax_browser_answers(struct ax_call *call);
