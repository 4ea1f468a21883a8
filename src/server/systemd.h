/*
 * What systemd hands over and wants to hear: sockets that it opened, and a word on how we are.
 *
 * The protocol is environment variables and datagrams, so there is no library; without systemd
 * every call does nothing. Opened once, before there are threads: it takes its variables out of the
 * environment, which children would otherwise believe to be theirs.
 *
 * Source: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3), systemd.service(5) on
 * Type=notify-reload.
 */
#pragma once

#include "base/ctx.h"

enum { AX_SYSTEMD_SOCKETS_MAX = 16, AX_SYSTEMD_NAMES_BYTES = 1024, AX_SYSTEMD_FIRST_SOCKET = 3 };

struct ax_systemd {
    char names_text[AX_SYSTEMD_NAMES_BYTES];
    ax_str names[AX_SYSTEMD_SOCKETS_MAX]; /* of the sockets, from AX_SYSTEMD_FIRST_SOCKET on */
    size_t socket_count;
    int notify_socket;   /* -1: nobody listens */
    int64_t watchdog_ms; /* within which it wants to hear again; 0: never */
};

/* Fails: INVALID when a variable of systemd's is none that it would set. */
ax_status ax_systemd_open(struct ax_ctx *ctx, struct ax_systemd *out_systemd);
void ax_systemd_close(struct ax_systemd *systemd);

/*
 * "systemd:NAME", or "systemd" for the only one there is, behind "tls:" if so given, as the
 * listener's address "fd:N"; other addresses as they are. In ctx->arena. Fails: NOT_FOUND; LIMIT.
 */
ax_status ax_systemd_address(const struct ax_systemd *systemd, struct ax_ctx *ctx, ax_str address,
                             ax_str *out_address);

/* The address of the socket with that index: "tls:fd:N" when it is named "tls" or "https". */
ax_status ax_systemd_address_at(const struct ax_systemd *systemd, struct ax_ctx *ctx, size_t index,
                                ax_str *out_address);

/* Best effort, all of them: who runs us may be gone. */
void ax_systemd_say_ready(const struct ax_systemd *systemd);
void ax_systemd_say_reloading(const struct ax_systemd *systemd);
void ax_systemd_say_stopping(const struct ax_systemd *systemd);
void ax_systemd_say_alive(const struct ax_systemd *systemd);
