/*
 * What a client may not do too often: reset streams, send frames that carry nothing. Part of
 * http2_session.
 *
 * Sources: CVE-2023-44487 (rapid reset), CVE-2025-8671 (made to reset), CVE-2019-9512 (pings),
 * 9515 (settings), 9518 (empty frames); grpc/grpc doc/keepalive.md (too_many_pings).
 */
#include "net/http2_session_parts.h"

enum {
    RESETS_AT_ONCE = 200,
    RESETS_PER_SECOND = 50,
    CONTROLS_AT_ONCE = 1'000,
    CONTROLS_PER_SECOND = 100,
    PING_STRIKES_MAX = 2,
    CONTROLS_PER_DATA = 2, /* gRPC's clients measure bandwidth by pings while data flow */
};

#define NS_PER_SECOND INT64_C(1'000'000'000)
#define NS_PER_MS     INT64_C(1'000'000)

/* Takes a token; false when there is none. */
static bool
bucket_take(struct ax_http2_bucket *bucket, int64_t now_ns, int64_t most, int64_t per_second)
{
    if (bucket->at_ns == 0) {
        bucket->tokens = most;
        bucket->at_ns = now_ns;
    }
    int64_t earned = (now_ns - bucket->at_ns) * per_second / NS_PER_SECOND;
    if (earned > 0) {
        bucket->tokens = bucket->tokens + earned > most ? most : bucket->tokens + earned;
        bucket->at_ns = now_ns;
    }
    return bucket->tokens-- > 0;
}

void
ax_http2_session_flood_reset(struct ax_http2_session *session)
{
    if (!bucket_take(&session->resets, session->now_ns, RESETS_AT_ONCE, RESETS_PER_SECOND))
        ax_http2_session_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void
flood_control(struct ax_http2_session *session)
{
    if (!bucket_take(&session->controls, session->now_ns, CONTROLS_AT_ONCE, CONTROLS_PER_SECOND))
        ax_http2_session_fail(session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Ends the connection in the words that gRPC's clients know: they will ping less often then. */
static void
too_many_pings(struct ax_http2_session *session)
{
    static const uint8_t words[] = "too_many_pings";
    if (session->over)
        return;
    session->over = true;
    if (nghttp2_submit_goaway(session->nghttp2, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session->nghttp2),
                              NGHTTP2_ENHANCE_YOUR_CALM, words, sizeof words - 1) != 0)
        session->broken = true;
}

static void
flood_ping(struct ax_http2_session *session)
{
    int64_t gap_ns = session->config->ping_gap_ms * NS_PER_MS, before_ns = session->ping_ns;
    session->ping_ns = session->now_ns;
    if (!session->grpc || before_ns == 0 || session->now_ns - before_ns >= gap_ns)
        return;
    if (++session->ping_strikes > PING_STRIKES_MAX)
        too_many_pings(session);
}

void
ax_http2_session_flood_forgive(struct ax_http2_session *session)
{
    session->ping_ns = 0;
    session->ping_strikes = 0;
}

void
ax_http2_session_flood_check(struct ax_http2_session *session, const nghttp2_frame *frame)
{
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
        ax_http2_session_flood_reset(session);
        break;
    case NGHTTP2_PING:
        flood_control(session);
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            flood_ping(session);
        break;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PRIORITY:
        flood_control(session);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.length == 0 && !ends)
            flood_control(session);
        else if (session->controls.tokens < CONTROLS_AT_ONCE)
            session->controls.tokens += CONTROLS_PER_DATA;
        break;
    default:
        break;
    }
}
