#include <unistd.h>

#include "harness.h"
#include "net/loopback_test.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"

static struct ax_exchange_trace seen;

/* "/refused" is; "/own" says its id by itself. */
static void
ids_handler(void *arg, struct ax_exchange *exchange)
{
    (void)arg;
    ax_str path = ax_exchange_request(exchange)->path;
    seen = *ax_exchange_trace(exchange);
    if (ax_str_eq(path, AX_STR("/own")))
        ax_exchange_header(exchange, AX_STR("x-request-id"), AX_STR("own"));
    if (ax_str_eq(path, AX_STR("/sampled")))
        ax_exchange_trace(exchange)->sampled = true;
    ax_exchange_answer(exchange, ax_str_eq(path, AX_STR("/refused")) ? 404 : 200,
                       AX_STR("text/plain"), AX_STR("answer"));
}

/* How often the words are in the text. */
static int
times(const char *text, const char *words)
{
    int count = 0;
    while ((text = strstr(text, words))) {
        text += strlen(words);
        count++;
    }
    return count;
}

#define PARENT "traceparent: 00-" TRACE "-b7ad6b7169203331-01\r\n"
#define QUIET  "traceparent: 00-" TRACE "-b7ad6b7169203331-02\r\n"

static const struct {
    const char *path, *headers;
    const char *told[3]; /* in the head of the answer */
    bool parent;         /* it has one */
} cases[] = {
    {"/", "", {}, false},
    {"/refused", "", {"X-Request-Id: "}, false},
    {"/", "X-Request-Id: abc/1\r\n", {"X-Request-Id: abc/1\r\n"}, false},
    {"/refused", "x-request-id: abc\r\n", {"X-Request-Id: abc\r\n"}, false},
    {"/own", "X-Request-Id: abc\r\n", {"x-request-id: own\r\n"}, false},
    {"/", "X-Request-Id: a b\r\n", {}, false},
    {"/", PARENT, {"traceparent: 00-" TRACE "-", "-01\r\n"}, true},
    {"/", QUIET, {"traceparent: 00-" TRACE "-", "-02\r\n"}, true},
    {"/sampled", "", {"traceparent: 00-", "-01\r\n"}, false},
    {"/sampled", QUIET, {"traceparent: 00-" TRACE "-", "-03\r\n"}, true},
    {"/", PARENT "tracestate: rojo=1,congo=2\r\n", {"tracestate: rojo=1,congo=2\r\n"}, true},
    {"/",
     PARENT "tracestate: rojo=1\r\ntracestate: congo=2\r\nTraceState: c=3\r\n",
     {"tracestate: rojo=1,congo=2,c=3\r\n"},
     true},
    {"/", PARENT "tracestate: rojo=1\r\ntracestate: rojo=2\r\n", {"traceparent: "}, true},
    {"/", "tracestate: rojo=1\r\n", {}, false},
    {"/", PARENT PARENT, {}, false}, /* two of them are none */
};

TEST(answers_tell_the_ids_of_their_requests)
{
    struct loopback server;
    struct ax_loop_config config = loopback_config();
    struct ax_exchange_service service = {.handler = ids_handler};
    static struct loopback_client client;
    struct loopback_answer answer;
    char request[700];
    uint64_t before = 0;
    loopback_open(&server, &config, &service);
    loopback_connect(&client, server.port);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        bool found = true, state = false, parent = false, id = false;
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i].path,
                 cases[i].headers);
        CHECK(loopback_send(&client, ax_str_of(request)));
        loopback_answer(&client, true, &answer);
        for (size_t k = 0; k < AX_COUNT_OF(cases[i].told) && cases[i].told[k]; k++) {
            found = found && strstr(answer.head, cases[i].told[k]);
            state |= times(cases[i].told[k], "tracestate: ") > 0;
            parent |= state || times(cases[i].told[k], "traceparent: ") > 0;
            id |= times(cases[i].told[k], "equest-") > 0;
        }
        found = found && times(answer.head, "tracestate: ") == state &&
                times(answer.head, "traceparent: ") == parent &&
                times(answer.head, "equest-") == id;
        if (!found || (seen.parent_id != 0) != cases[i].parent)
            ax_test_failed(__FILE__, __LINE__, "%s with %s is told %s", cases[i].path,
                           cases[i].headers, answer.head);
        CHECK(seen.span_id != 0 && seen.span_id != before && seen.span_id != seen.parent_id);
        before = seen.span_id;
    }
    close(client.fd);
    loopback_close(&server);
}
