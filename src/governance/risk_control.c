#include "governance/risk_control.h"

#include <math.h>

#include "base/alloc.h"
#include "sys/mutex.h"

static struct ax_guard_verdict
graver(struct ax_guard_verdict a, struct ax_guard_verdict b)
{
    return b.action > a.action ? b : a;
}

struct ax_guard_verdict
ax_guards_check_input(const struct ax_guards *guards, const double *row)
{
    struct ax_guard_verdict worst = {.action = AX_GUARD_PASS};
    for (size_t f = 0; f < guards->feature_count; f++) {
        double value = row[f];
        if (isinf(value))
            worst = graver(worst, (struct ax_guard_verdict){AX_GUARD_REFUSE, AX_GUARD_RULE_INFINITE,
                                                            f, value});
        else if (value < guards->min[f] || value > guards->max[f]) /* false for NaN */
            worst = graver(worst, (struct ax_guard_verdict){guards->out_of_domain,
                                                            AX_GUARD_RULE_DOMAIN, f, value});
    }
    size_t amount = guards->amount_feature;
    if (amount < guards->feature_count && !(row[amount] <= guards->amount_max))
        worst = graver(worst, (struct ax_guard_verdict){guards->amount_action, AX_GUARD_RULE_AMOUNT,
                                                        amount, row[amount]});
    return worst;
}

struct ax_guard_verdict
ax_guards_check_output(const struct ax_guards *guards, double margin, double response)
{
    if (isfinite(margin) && response >= guards->response_min && response <= guards->response_max)
        return (struct ax_guard_verdict){.action = AX_GUARD_PASS};
    return (struct ax_guard_verdict){AX_GUARD_REFUSE, AX_GUARD_RULE_OUTPUT, 0, response};
}

const char *
ax_guard_rule_name(enum ax_guard_rule rule)
{
    static const char *const names[] = {
        [AX_GUARD_RULE_NONE] = "none",     [AX_GUARD_RULE_DOMAIN] = "domain",
        [AX_GUARD_RULE_AMOUNT] = "amount", [AX_GUARD_RULE_INFINITE] = "infinite",
        [AX_GUARD_RULE_OUTPUT] = "output",
    };
    return names[rule];
}

/* guarded by mutex, all but config */
struct ax_breaker {
    struct ax_mutex mutex;
    struct ax_breaker_config config;
    int64_t references;
    bool open;
    bool forced;
    bool probing;
    int64_t opened_ns;
    int64_t wait_ns;
    int64_t calls;
    int64_t errors;
    int64_t probes_good;
    int64_t short_circuits;
};

ax_status
ax_breaker_new(struct ax_ctx *ctx, const struct ax_breaker_config *config,
               struct ax_breaker **out_breaker)
{
    struct ax_breaker *breaker = ax_alloc(sizeof *breaker, 1);
    if (!breaker)
        return ax_fail(ctx, AX_LIMIT, "no memory for a breaker");
    ax_mutex_init(&breaker->mutex);
    breaker->config = *config;
    breaker->references = 1;
    breaker->wait_ns = config->wait_ns;
    *out_breaker = breaker;
    return AX_OK;
}

struct ax_breaker *
ax_breaker_ref(struct ax_breaker *breaker)
{
    ax_mutex_lock(&breaker->mutex);
    breaker->references++;
    ax_mutex_unlock(&breaker->mutex);
    return breaker;
}

void
ax_breaker_unref(struct ax_breaker *breaker)
{
    if (!breaker)
        return;
    ax_mutex_lock(&breaker->mutex);
    bool last = --breaker->references == 0;
    ax_mutex_unlock(&breaker->mutex);
    if (!last)
        return;
    ax_mutex_done(&breaker->mutex);
    ax_free(breaker);
}

static enum ax_breaker_state
state_of(const struct ax_breaker *breaker, int64_t now_ns)
{
    if (breaker->forced)
        return AX_BREAKER_FORCED_OPEN;
    if (!breaker->open)
        return AX_BREAKER_CLOSED;
    bool waited = now_ns - breaker->opened_ns >= breaker->wait_ns;
    return waited && !breaker->config.person_closes ? AX_BREAKER_HALF_OPEN : AX_BREAKER_OPEN;
}

bool
ax_breaker_allows(struct ax_breaker *breaker, int64_t now_ns)
{
    ax_mutex_lock(&breaker->mutex);
    enum ax_breaker_state state = state_of(breaker, now_ns);
    bool probe = state == AX_BREAKER_HALF_OPEN && !breaker->probing;
    if (probe)
        breaker->probing = true; /* one at a time */
    bool allowed = state == AX_BREAKER_CLOSED || probe;
    breaker->short_circuits += !allowed;
    ax_mutex_unlock(&breaker->mutex);
    return allowed;
}

static void
trip(struct ax_breaker *breaker, int64_t now_ns)
{
    breaker->open = true;
    breaker->opened_ns = now_ns;
    breaker->probes_good = 0;
    breaker->calls = 0;
    breaker->errors = 0;
}

/* The answer of a probe: close after enough good ones, wait twice as long after a bad one. */
static bool
note_probe(struct ax_breaker *breaker, int64_t now_ns, bool ok)
{
    breaker->probing = false;
    if (!ok) {
        breaker->wait_ns *= 2;
        if (breaker->wait_ns > breaker->config.wait_ns_max)
            breaker->wait_ns = breaker->config.wait_ns_max;
        trip(breaker, now_ns);
        return false;
    }
    if (++breaker->probes_good < breaker->config.probes)
        return false;
    breaker->open = false;
    breaker->wait_ns = breaker->config.wait_ns;
    return true;
}

bool
ax_breaker_note(struct ax_breaker *breaker, int64_t now_ns, bool ok, int64_t took_ns)
{
    const struct ax_breaker_config *config = &breaker->config;
    bool good = ok && (config->slow_ns == 0 || took_ns <= config->slow_ns);
    bool changed = false;
    ax_mutex_lock(&breaker->mutex);
    if (breaker->open) {
        if (breaker->probing)
            changed = note_probe(breaker, now_ns, good);
    } else {
        breaker->calls++;
        breaker->errors += !good;
        bool many = breaker->calls >= config->calls_min;
        changed = many && (double)breaker->errors > config->error_rate * (double)breaker->calls;
        if (changed) {
            trip(breaker, now_ns);
        } else if (breaker->calls >= 2 * config->calls_min) { /* old calls fade */
            breaker->calls /= 2;
            breaker->errors /= 2;
        }
    }
    ax_mutex_unlock(&breaker->mutex);
    return changed;
}

void
ax_breaker_forgo(struct ax_breaker *breaker)
{
    ax_mutex_lock(&breaker->mutex);
    breaker->probing = false;
    ax_mutex_unlock(&breaker->mutex);
}

void
ax_breaker_force(struct ax_breaker *breaker, bool open)
{
    ax_mutex_lock(&breaker->mutex);
    breaker->forced = open;
    if (!open) {
        breaker->open = false;
        breaker->calls = breaker->errors = breaker->probes_good = 0;
        breaker->wait_ns = breaker->config.wait_ns;
        breaker->probing = false;
    }
    ax_mutex_unlock(&breaker->mutex);
}

enum ax_breaker_state
ax_breaker_state_now(struct ax_breaker *breaker, int64_t now_ns)
{
    ax_mutex_lock(&breaker->mutex);
    enum ax_breaker_state state = state_of(breaker, now_ns);
    ax_mutex_unlock(&breaker->mutex);
    return state;
}

int64_t
ax_breaker_short_circuits(struct ax_breaker *breaker)
{
    ax_mutex_lock(&breaker->mutex);
    int64_t count = breaker->short_circuits;
    ax_mutex_unlock(&breaker->mutex);
    return count;
}

const char *
ax_breaker_state_name(enum ax_breaker_state state)
{
    static const char *const names[] = {
        [AX_BREAKER_CLOSED] = "closed",
        [AX_BREAKER_OPEN] = "open",
        [AX_BREAKER_HALF_OPEN] = "half_open",
        [AX_BREAKER_FORCED_OPEN] = "forced_open",
    };
    return names[state];
}
