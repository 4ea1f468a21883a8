/*
 * A session of HTTP/2 seen from inside: http2_session.c (the session's operations, deadlines),
 * http2_session_request.c (what nghttp2 tells of requests), http2_session_answer.c (answers), and
 * http2_session_flood.c (what a client may not do too often), http2_session_memory.c.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "net/http2_session.h"

struct ax_http2_session;

/* In its exchange's arena: gone when the exchange is given back. */
struct ax_http2_stream {
    struct ax_http2_session *session;
    struct ax_exchange *exchange;
    struct ax_http2_stream *next, *before;             /* of the session */
    struct ax_http2_stream *next_timed, *before_timed; /* those with a deadline, earliest first */
    struct ax_http2_stream *next_waiting;
    int64_t deadline_ns; /* INT64_MAX: not among the timed */
    int32_t id;
    ax_str target;
    size_t body_bytes;    /* counted in bodies_bytes */
    size_t unacked_bytes; /* of DATA, for which the window has not been opened again */
    size_t sent_bytes;    /* of the answer's body, taken by nghttp2 */
    size_t sent_at_check; /* when its deadline was last set */
    int refusal;          /* status that the head has earned; 0 for none */
    const char *refusal_reason;
    bool head_done;
    bool request_done;   /* nothing more is read of it */
    bool answered;       /* the answer's end has been sent */
    size_t unread_bytes; /* that came of the body nevertheless */
    bool remote_ended;   /* the client has ended its side */
    bool submitted;      /* the answer's head is with nghttp2 */
    bool deferred;       /* nghttp2 waits for more of the answer */
    bool waiting;        /* until fewer answers are unsent */
    bool gone;           /* the stream is closed: nobody waits for the answer */
    bool dropped;        /* reported; given back when the session is at rest */
};

/* A bucket that fills with time: what is legal now and then, and an attack all the time. */
struct ax_http2_bucket {
    int64_t tokens;
    int64_t at_ns;
};

struct ax_http2_session {
    struct ax_session base;
    struct ax_exchange_pool *pool;
    const struct ax_http2_session_config *config;
    struct ax_session_peer peer;
    nghttp2_session *nghttp2;
    struct ax_http2_stream *first;
    struct ax_http2_stream *timed_first, *timed_last;
    struct ax_http2_stream *waiting_first, *waiting_last;
    struct ax_exchange *dead; /* to be given back, by next */
    size_t stream_count;      /* with those that are gone and still held by the service */
    size_t pending_bytes;     /* of finished answers not yet taken by nghttp2 */
    size_t bodies_bytes;
    size_t head_bytes; /* of the head being read, kept or not */
    struct ax_writer out;
    size_t out_at; /* sent */
    int64_t now_ns;
    int64_t output_ns;        /* 0: not yet looked at */
    int64_t heard_ns;         /* last byte */
    int64_t idle_ns;          /* since when there is no stream */
    int64_t head_ns;          /* since when a head is being read; 0: none */
    int64_t goaway_ns;        /* when the last word of a draining server is due; INT64_MAX */
    int32_t last_id;          /* the highest stream begun */
    int32_t gap_from, gap_to; /* ids that were passed over the last time: never to be used */
    struct ax_http2_bucket resets, controls;
    int64_t ping_ns;  /* the client's last ping since we sent it something; 0: none */
    int ping_strikes; /* pings that came too soon after another */
    bool grpc;        /* a call of gRPC has come: its rules for pings hold */
    int depth;        /* of calls into the session: exchanges are given back at 0 */
    bool receiving;   /* the transport will look for output by itself */
    bool begun;       /* the client's preface and settings are here */
    bool pinged;      /* since heard_ns */
    bool moved;       /* streams may go on: answers have left */
    bool draining;    /* one side has said that it will end, in order */
    bool over;        /* nothing more is read */
    bool broken;      /* memory was short in the middle: it ends without a word */
    bool ended;       /* the client will send no more */
};

/* ---- http2_session.c ---- */

/* Sets the stream's deadline; INT64_MAX takes it off. */
void ax_http2_session_arm(struct ax_http2_stream *stream, int64_t deadline_ns);

/* A stream that has begun; NULL when memory is short. */
struct ax_http2_stream *ax_http2_session_stream_new(struct ax_http2_session *session, int32_t id);

/* Nobody waits for it, and the service does not hold it: out of the session. */
void ax_http2_session_drop(struct ax_http2_stream *stream, bool report);

/* Ends the connection with a word of why. */
void ax_http2_session_fail(struct ax_http2_session *session, uint32_t error_code);

/*
 * The last word of ours: streams above the last one seen are not served, those below end in peace.
 */
void ax_http2_session_goaway(struct ax_http2_session *session);

/* When the present output is made. */
int64_t ax_http2_session_output_ns(struct ax_http2_session *session);

/* ---- http2_session_request.c ---- */

/* What nghttp2 shall tell us. */
void ax_http2_session_set_callbacks(nghttp2_session_callbacks *callbacks);

/* Lets a stream's service go on, and the client with it. */
void ax_http2_session_run(struct ax_http2_stream *stream);

/* ---- http2_session_answer.c ---- */

/* The exchange has something to send: its head at the first time, then more of its body. */
void ax_http2_session_answer(struct ax_http2_stream *stream);

/* 100 Continue. */
void ax_http2_session_interim(struct ax_http2_stream *stream);

/* Of the answer's body, with us still. */
size_t ax_http2_session_unsent(const struct ax_http2_stream *stream);

/* Nothing is asked: memory that an idle connection does not need goes back. */
void ax_http2_session_rest(struct ax_http2_session *session);

/* What nghttp2 has to send goes to the session's output. */
void ax_http2_session_fill(struct ax_http2_session *session);

/* ---- http2_session_memory.c ---- */

struct ax_http2_memory *ax_http2_session_memory_new(void); /* NULL when memory is short */
nghttp2_mem ax_http2_session_memory_of(struct ax_http2_memory *memory);

/* Between the two nghttp2 makes a session, which is to share the loop's buffer of frames. */
void ax_http2_session_memory_opens(struct ax_http2_memory *memory, bool opening);

/* What nghttp2_session_mem_send gave is copied. */
void ax_http2_session_memory_frame_done(struct ax_http2_memory *memory);

/* ---- http2_session_flood.c ---- */

/* A frame was received, or sent, that costs more than it says. Ends the connection if too many. */
void ax_http2_session_flood_check(struct ax_http2_session *session, const nghttp2_frame *frame);
void ax_http2_session_flood_reset(struct ax_http2_session *session);

/* Something of an answer has been sent: a ping may follow. */
void ax_http2_session_flood_forgive(struct ax_http2_session *session);
