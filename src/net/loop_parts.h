/*
 * A loop seen from inside: its fields, for loop.c (threads, listeners, posts) and
 * loop_connection.c (the transport of one connection). Everything belongs to the loop's thread
 * unless it says otherwise.
 */
#pragma once

#include <uv.h>

#include "net/admission.h"
#include "net/exchange_parts.h"
#include "net/http1_session.h"
#include "net/http2_session.h"
#include "net/loop.h"
#include "net/tls.h"
#include "net/wheel.h"
#include "sys/mutex.h"
#include "sys/queue.h"
#include "sys/workers.h"

struct ax_loop_connection;

struct ax_loop_listener {
    uv_poll_t poll;
    struct ax_loop *loop;
    int socket; /* -1 when closed */
    int index;
};

struct ax_loop {
    struct ax_loops *loops;
    size_t index;
    struct ax_thread *thread; /* of whoever opens and closes */
    uv_loop_t uv;
    uv_async_t wake;
    uv_timer_t timer;
    bool uv_opened;
    bool ticking;
    bool accept_paused; /* until the next tick: there was no descriptor left */
    bool listening;     /* has accepted connections, or could have */
    bool draining;
    bool stopping;
    bool told_empty, told_idle; /* counted in loops->empty_count and drained_count */
    int spare_socket;           /* given up for a moment to turn away whom we cannot serve */
    struct ax_loop_listener *listeners;
    struct ax_exchange_pool pool;
    struct ax_wheel wheel;
    struct ax_loop_connection *connections;
    size_t connection_count;
    struct ax_loop_connection *ready; /* those with answers to send */
    void *data;                       /* of loop_init */
    char *input;                      /* one read's bytes; shared by all connections */
    char *plain; /* of TLS, on its way through, likewise; NULL when no listener has TLS */

    struct ax_queue *calls; /* from any thread */
    struct ax_mutex overflow_mutex;
    struct ax_loop_call *overflow; /* guarded by overflow_mutex; when calls is full */
    struct ax_loop_call listen_call, drain_call, cut_call, stop_call;
};

struct ax_loops {
    struct ax_loop_config config;
    struct ax_exchange_service service;
    struct ax_http1_session_config http1_config;
    struct ax_http2_session_config http2_config;
    struct ax_admission *admission;
    struct ax_loop *loops;
    size_t loop_count;
    ax_str *addresses; /* in arena */
    int *ports;
    bool *secure;       /* which listeners have TLS */
    struct ax_tls *tls; /* NULL when none has */
    size_t listener_count;
    struct ax_arena *arena;

    struct ax_mutex mutex;
    struct ax_cond changed; /* the counts below are guarded by mutex */
    size_t ready_count;     /* loops whose loop_init has run */
    size_t empty_count;     /* draining loops without a connection */
    size_t drained_count;   /* and without an exchange that somebody holds */
    ax_status init_status;  /* the first failure of a loop_init */
    char init_error[AX_ERROR_BYTES_MAX];
    bool drained, cut; /* of whoever drains and closes: each call is made once */
};

enum { AX_LOOP_INPUT_BYTES = 64 * 1024 };

/* Begins or pauses accepting; stop: takes what the kernel has accepted already, then closes. */
void ax_loop_accept_set(struct ax_loop *loop, bool accepting);
void ax_loop_accept_stop(struct ax_loop *loop);

/* A connection that was accepted and admitted; on failure it is closed and leaves. */
void ax_loop_connection_open(struct ax_loop *loop, int socket, const struct ax_session_peer *peer);

/* Its deadline has passed. */
void ax_loop_connection_due(void *arg, struct ax_wheel_node *node);

/* Sends what became ready while others were served; at the end of every event. */
void ax_loop_connection_settle_ready(struct ax_loop *loop);

/* The server is stopping; cut: at once. */
void ax_loop_connection_drain_all(struct ax_loop *loop, int64_t grace_until_ns);
void ax_loop_connection_cut_all(struct ax_loop *loop);

/* A connection came or went: starts the tick, tells who waits, ends a loop that is to stop. */
void ax_loop_changed(struct ax_loop *loop);
