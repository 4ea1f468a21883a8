/*
 * Who may connect: a count of connections in all, and of each address, over all loops.
 *
 * A fixed table made at the start, so that a flood of addresses costs no memory. Asked once when
 * a connection is accepted and once when it ends, never per request. Any thread.
 */
#pragma once

#include <sys/socket.h>

#include "base/ctx.h"

struct ax_admission;

struct ax_admission_totals {
    int64_t open;
    int64_t accepted; /* since the start, as all below */
    int64_t refused;  /* over a limit, or no descriptor left */
    int64_t cut;      /* past a deadline */
};

/* Fails: LIMIT. */
ax_status ax_admission_open(struct ax_ctx *ctx, size_t connections_max, size_t per_address_max,
                            struct ax_admission **out_admission);
void ax_admission_close(struct ax_admission *admission);
AX_DEFINE_AUTO(struct ax_admission, ax_admission_close);

/*
 * What connections are counted under: the IPv4 address, an IPv6 address's /64 (IPv4 in IPv6 is
 * IPv4); 0 for a Unix socket, which is counted in all but not by itself.
 */
uint64_t ax_admission_key(const struct sockaddr *address);

/* false: over a limit; counted as refused. */
[[nodiscard]] bool ax_admission_enter(struct ax_admission *admission, uint64_t key);
void ax_admission_leave(struct ax_admission *admission, uint64_t key);

void ax_admission_count_refused(struct ax_admission *admission);
void ax_admission_count_cut(struct ax_admission *admission);

struct ax_admission_totals ax_admission_totals(struct ax_admission *admission);
