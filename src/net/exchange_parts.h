/*
 * An exchange seen from inside net: its fields, and the pool of a loop that lends it out.
 *
 * For the sessions (who fill in requests and send answers) and the loop. An exchange belongs to
 * its loop's thread until the handler is called and again once it is finished; in between only
 * the fields of the request (read), of the answer, and `cancelled` may be touched by its holder.
 */
#pragma once

#include "codec/trace_context.h"
#include "net/buffers.h"
#include "net/exchange.h"
#include "net/message.h"
#include "net/session.h"
#include "sys/mutex.h"

/* One call that another thread asks a loop to make. */
struct ax_loop_call {
    struct ax_loop_call *next;
    void (*fn)(void *arg);
    void *arg;
    bool owned; /* freed after the call */
};

/* What the holder of a stream says last. */
enum ax_stream_then { AX_STREAM_HELD, AX_STREAM_NEXT, AX_STREAM_FINISH };

/* What a stream has beside a unary exchange; in the exchange's arena. */
struct ax_exchange_stream {
    void (*step)(void *arg, struct ax_exchange *exchange);
    struct ax_writer arriving; /* came while the exchange was held */
    struct ax_writer leaving;  /* sent by the holder, for the session to take */
    size_t body_at;            /* of the body, taken by the holder */
    size_t left_bytes;         /* of leaving, taken by the session */
    size_t sent_total;         /* bytes of answers in all */
    bool arrived_all;          /* the client's end has come */
    bool ended;                /* and was shown to the holder */
    bool grew;                 /* the holder has not seen all of the body */
    bool stepping;             /* step is on the stack */
    bool head_due;             /* the answer's head may leave */
    bool whole;                /* the answer leaves as one, when it is finished */

    /* Guarded by the exchange's mutex: what the holder did on another thread. */
    struct ax_writer handed; /* sent */
    enum ax_stream_then then;
    size_t taken_bytes;
    bool posted;     /* the loop will look */
    bool head_asked; /* the holder has sent */
};

struct ax_exchange {
    struct ax_exchange *next; /* in the pool's free list, or in the session's line */
    struct ax_exchange_pool *pool;
    struct ax_session *session; /* NULL once the connection is gone */
    struct ax_message message;
    struct ax_ctx ctx;
    ax_str request_id;
    struct ax_trace_context trace;    /* parent_id: the caller's, when it has_parent */
    struct ax_exchange_trace lineage; /* what of it the service sees */
    bool id_given;                    /* the request id is the client's own */
    bool id_told;                     /* the service puts it into the answer itself */
    struct ax_exchange_times times;
    void *slot;
    void *carrier;                     /* the session's own */
    struct ax_exchange_stream *stream; /* NULL: one body, one answer */
    void (*on_cancel)(void *arg, struct ax_exchange *exchange);

    int status;
    bool broken;               /* the answer cannot be sent as built: a 500 takes its place */
    bool close_after;          /* the connection ends with this answer */
    bool refused;              /* net's own answer; no handler was called */
    bool lent;                 /* handed to the service and not yet finished */
    bool finished;             /* the answer is complete */
    struct ax_writer fields;   /* the answer's headers, "name: value\r\n" each */
    struct ax_writer trailers; /* likewise, behind the body */
    struct ax_writer body;
    int file;              /* -1, or what follows the body */
    uint64_t file_at;      /* the next byte of it that is read */
    uint64_t file_left;    /* bytes of it not yet read */
    uint64_t file_bytes;   /* of it in the answer */
    struct ax_writer head; /* the answer's head as it goes out, written by the session */
    bool interim_due;      /* 100 Continue goes out first */
    size_t sent_bytes;     /* of interim, head and body */

    struct ax_session_peer peer; /* a copy: the connection may go first */
    struct ax_loop_call call;    /* carries the finish from another thread */
    struct ax_mutex mutex;
    bool cancelled; /* guarded by mutex */
};

/* How the pool reaches the thread it belongs to. */
struct ax_exchange_home {
    struct ax_loop *loop;
    void *loop_data;
    bool (*here)(struct ax_loop *loop); /* is this the loop's thread? */
    void (*post)(struct ax_loop *loop, struct ax_loop_call *call);
};

struct ax_exchange_config {
    struct ax_http_limits limits;
    size_t answer_bytes_max;
    size_t arena_bytes_max;
    size_t compress_bytes_min; /* of an answer; 0: never */
    size_t compress_bytes_max; /* more would hold up the loop */
    int64_t request_ms;
};

struct ax_exchange_pool {
    struct ax_exchange_home home;
    struct ax_exchange_service service;
    struct ax_exchange_config config;
    struct ax_exchange *free_list;
    size_t free_count;
    size_t lent_count;   /* with the service, unfinished */
    uint64_t trace_high; /* random; with trace_next it makes trace ids */
    uint64_t trace_next;
    struct ax_http_date date;
    struct ax_deflater *deflaters[AX_COMPRESS_CODING_COUNT]; /* NULL until first used */
    struct ax_http2_memory *http2_memory;                    /* likewise */
    struct ax_buffers buffers;                               /* of large bodies */
};

/* service: copied, its missing calls replaced by plain ones. */
void ax_exchange_pool_init(struct ax_exchange_pool *pool, const struct ax_exchange_config *config,
                           const struct ax_exchange_service *service,
                           const struct ax_exchange_home *home);
void ax_exchange_pool_done(struct ax_exchange_pool *pool);

/* An empty exchange for the session's next request; NULL when memory is short. */
struct ax_exchange *ax_exchange_take(struct ax_exchange_pool *pool, struct ax_session *session,
                                     const struct ax_session_peer *peer);

/* More of a stream's body has come, or its end. false when it is more than it may hold. */
[[nodiscard]] bool ax_exchange_stream_arrived(struct ax_exchange *exchange, ax_str bytes,
                                              bool ended);

/* Whether a stream holds as much as it should: no more is to be read for it now. */
bool ax_exchange_stream_is_full(const struct ax_exchange *exchange);

/* The whole answer of a stream that has one, where the session looks for that of any exchange. */
void ax_exchange_stream_gather(struct ax_exchange *exchange);

/* Puts the next bytes of the file where the body's were, which are out; false when it cannot. */
bool ax_exchange_file_next(struct ax_exchange *exchange, size_t bytes_max);
void ax_exchange_file_close(struct ax_exchange *exchange);

/* Steps the stream as long as there is something new and nobody holds it. It may be gone then. */
void ax_exchange_stream_run(struct ax_exchange *exchange);

/* The finish of a stream, as ax_exchange_finish; and what both come to on the loop's thread. */
void ax_exchange_stream_finish(struct ax_exchange *exchange);
void ax_exchange_return(struct ax_exchange *exchange);

/*
 * A body of so many bytes may come (UINT64_MAX: nobody knows), or goes on behind what is there:
 * room for it.
 */
void ax_exchange_body_expect(struct ax_exchange *exchange, uint64_t bytes);

/* Back to the pool: the answer is out, or nobody wants it. */
void ax_exchange_give(struct ax_exchange *exchange);

/* The head is there: trace id and request id, then the service's head(). */
void ax_exchange_head_done(struct ax_exchange *exchange, struct ax_http_limits *limits);

/*
 * Whether so many bytes of headers go in: one cut in the middle would spoil the answer, which goes
 * without it instead.
 */
[[nodiscard]] bool ax_exchange_fields_have_room(struct ax_exchange *exchange, size_t bytes);

/* The request's ids, from its head; and among the headers of an answer that is about to leave. */
void ax_exchange_set_ids(struct ax_exchange *exchange);
void ax_exchange_tell_ids(struct ax_exchange *exchange);

/* The request is complete: calls the handler. */
void ax_exchange_handle(struct ax_exchange *exchange);

/* The answer to bytes that no handler sees; finished when it returns. */
void ax_exchange_refuse(struct ax_exchange *exchange, int status, ax_str reason);

/* A broken or too large answer becomes a 500. To be called once, before the head is rendered. */
void ax_exchange_settle(struct ax_exchange *exchange);

/*
 * The head is there, a body will come: prepares to inflate it. 0, or the status of the refusal of a
 * coding that is not known.
 */
int ax_exchange_coding_expect(struct ax_exchange *exchange);

/* Compresses the answer's body if the client takes it, and it is worth it. */
void ax_exchange_coding_apply(struct ax_exchange *exchange);

/* Tells the holder that nobody waits any more. */
void ax_exchange_cancel(struct ax_exchange *exchange);

/* The session ends while the service still holds it. */
void ax_exchange_orphan(struct ax_exchange *exchange);

/* Calls answered(). */
void ax_exchange_report(struct ax_exchange *exchange);
