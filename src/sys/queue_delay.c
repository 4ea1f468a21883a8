#include "sys/queue_delay.h"

enum { PATIENCE = 2 }; /* times the target */

/* The interval is over: was there no moment without a wait? After a pause nothing is known. */
static void
begin_interval(struct ax_queue_delay *delay, const struct ax_queue_delay_config *config,
               int64_t waited_ns, int64_t now_ns)
{
    bool known = delay->ends_ns != 0 && now_ns - delay->ends_ns < config->interval_ns;
    delay->standing = known && delay->least_ns > config->target_ns;
    delay->least_ns = waited_ns;
    delay->ends_ns = now_ns + config->interval_ns;
}

bool
ax_queue_delay_sheds(struct ax_queue_delay *delay, const struct ax_queue_delay_config *config,
                     int64_t waited_ns, int64_t now_ns)
{
    if (config->target_ns == 0)
        return false;
    if (now_ns >= delay->ends_ns)
        begin_interval(delay, config, waited_ns, now_ns);
    else if (waited_ns < delay->least_ns)
        delay->least_ns = waited_ns;
    return delay->standing && waited_ns > PATIENCE * config->target_ns;
}
