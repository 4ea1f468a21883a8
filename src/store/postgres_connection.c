#include <poll.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "store/postgres_parts.h"
#include "sys/clock.h"

enum { POLL_MS_MAX = 60'000, HOST_SECONDS_MIN = 2, VERSION_MIN = 130000, WORDS_BYTES = 512 };

/* ---- errors ---- */

/* Codes whose class says too little. The class of a code is its first two letters. */
static const struct {
    const char *code;
    ax_status status;
} codes[] = {
    {"0A000", AX_UNSUPPORTED}, /* by this server; writing, by a standby */
    {"08P01", AX_INTERNAL},    /* the parameters are not those of the statement */
    {"23502", AX_INVALID},     /* not null */
    {"23514", AX_INVALID},     /* check */
    {"25006", AX_DENIED},      /* a write where only reading is allowed */
    {"25P02", AX_INTERNAL},    /* in a failed transaction */
    {"26000", AX_UNAVAILABLE}, /* somebody between us and the server lost a prepared statement */
    {"40003", AX_UNAVAILABLE}, /* completion unknown */
    {"42501", AX_UNAVAILABLE}, /* no permission */
    {"53300", AX_UNAVAILABLE}, /* too many connections */
    {"55P03", AX_UNAVAILABLE}, /* a lock was not to be had in time */
    {"57014", AX_TIMEOUT},     /* statement timeout */
    {"22", AX_INVALID},        /* data */
    {"23", AX_CONFLICT},       /* unique, foreign key, exclusion */
    {"40", AX_CONFLICT},       /* serialization, deadlock */
    {"53", AX_LIMIT},          /* disk, memory */
    {"54", AX_INVALID},        /* too large, too complex */
    {"08", AX_UNAVAILABLE},    /* connection */
    {"28", AX_UNAVAILABLE},    /* who is this */
    {"3D", AX_UNAVAILABLE},    /* no such database */
    {"57", AX_UNAVAILABLE},    /* shutting down, starting up */
    {"58", AX_UNAVAILABLE},    /* input/output */
    {"XX001", AX_CORRUPT},     {"XX002", AX_CORRUPT},
};

static ax_status
status_of(const char *code)
{
    for (size_t i = 0; i < AX_COUNT_OF(codes); i++)
        if (strncmp(code, codes[i].code, strlen(codes[i].code)) == 0)
            return codes[i].status;
    return AX_INTERNAL;
}

/* After these the connection is of no use, though the socket may still be open. */
static bool
ends_connection(const char *code)
{
    return strncmp(code, "57P", 3) == 0 || strncmp(code, "08", 2) == 0 ||
           strcmp(code, "26000") == 0;
}

/* "cached plan must not change result type": a table has new columns since it was prepared. */
static bool
is_outdated(const PGresult *result, const char *code)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    return strcmp(code, "0A000") == 0 && function && strcmp(function, "RevalidateCachedQuery") == 0;
}

/* What libpq says, on one line: it breaks lines before a hint and between hosts. */
static ax_str
words_of(const PGconn *pg, char words[static WORDS_BYTES])
{
    ax_str said = ax_str_trim(ax_str_of(PQerrorMessage(pg)));
    size_t len = 0;
    for (size_t at = 0; at < said.len && len < WORDS_BYTES; at++) {
        bool is_blank = said.at[at] == '\n' || said.at[at] == '\t' || said.at[at] == ' ';
        if (!is_blank)
            words[len++] = said.at[at];
        else if (len > 0 && words[len - 1] != ' ')
            words[len++] = ' ';
    }
    return (ax_str){.at = words, .len = len};
}

static ax_status
lost(struct ax_ctx *ctx, struct ax_postgres_connection *connection)
{
    char buffer[WORDS_BYTES];
    ax_str words = words_of(connection->pg, buffer);
    connection->broken = true;
    return ax_fail(ctx, AX_UNAVAILABLE, "database: the connection is lost: %.*s",
                   AX_FMT(words.len ? words : AX_STR("no answer")));
}

ax_status
ax_postgres_judge(struct ax_ctx *ctx, struct ax_postgres_connection *connection,
                  const PGresult *result, const char *what)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
        return AX_OK;
    case PGRES_EMPTY_QUERY:
        return ax_fail(ctx, AX_INTERNAL, "database: an empty statement");
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH:
        connection->broken = true;
        return ax_fail(ctx, AX_INTERNAL, "database: copy is no statement of the port");
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_PIPELINE_ABORTED:
    default:
        break;
    }
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!code) /* libpq's own word: the socket closed, memory is short */
        return lost(ctx, connection);
    bool outdated = is_outdated(result, code); /* a new connection prepares it anew */
    if (outdated || ends_connection(code))
        connection->broken = true;
    ax_status status = outdated ? AX_CONFLICT : status_of(code);
    return ax_fail(ctx, status, "database: %s: %s", what,
                   PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

/* ---- waiting ---- */

int64_t
ax_postgres_until(const struct ax_ctx *ctx)
{
    const int64_t grace_ns = AX_POSTGRES_GRACE_MS * 1'000'000LL;
    return ctx->deadline_ns > INT64_MAX - grace_ns ? INT64_MAX : ctx->deadline_ns + grace_ns;
}

/* Waits for the socket. Whatever poll says, libpq is asked next: only the time counts here. */
static ax_status
wait_for(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t until_ns,
         short events)
{
    struct pollfd file = {.fd = PQsocket(connection->pg), .events = events};
    int64_t left_ms = ax_clock_left_ns(until_ns) / 1'000'000;
    if (left_ms <= 0) {
        connection->broken = true;
        return ax_fail(ctx, AX_TIMEOUT, "database: no answer before the deadline");
    }
    if (file.fd < 0)
        return lost(ctx, connection);
    poll(&file, 1, (int)(left_ms < POLL_MS_MAX ? left_ms : POLL_MS_MAX));
    if (!PQconsumeInput(connection->pg))
        return lost(ctx, connection);
    return AX_OK;
}

ax_status
ax_postgres_flush(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t until_ns,
                  int sent)
{
    int left;
    if (!sent)
        return lost(ctx, connection);
    while ((left = PQflush(connection->pg)) > 0)
        AX_TRY(wait_for(ctx, connection, until_ns, POLLIN | POLLOUT));
    return left == 0 ? AX_OK : lost(ctx, connection);
}

ax_status
ax_postgres_await(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t until_ns,
                  PGresult **out_result)
{
    if (ax_fault_here()) {
        connection->broken = true;
        return ax_fail(ctx, AX_UNAVAILABLE, "database: the connection is lost: as asked");
    }
    while (PQisBusy(connection->pg))
        AX_TRY(wait_for(ctx, connection, until_ns, POLLIN));
    *out_result = PQgetResult(connection->pg);
    return AX_OK;
}

ax_status
ax_postgres_discard(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t until_ns,
                    const char *what)
{
    ax_status first = AX_OK;
    PGresult *result;
    while (!connection->broken) {
        struct ax_ctx aside = ax_ctx_of(ctx->arena); /* the first failure has the words */
        struct ax_ctx *teller = first == AX_OK ? ctx : &aside;
        ax_status status = ax_postgres_await(teller, connection, until_ns, &result);
        if (status != AX_OK)
            return first == AX_OK ? status : first;
        if (!result)
            return first;
        status = ax_postgres_judge(teller, connection, result, what);
        PQclear(result);
        if (first == AX_OK)
            first = status;
    }
    return first; /* what is broken may have no end: a copy has none */
}

ax_status
ax_postgres_command(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t until_ns,
                    const char *sql)
{
    AX_TRY(ax_postgres_flush(ctx, connection, until_ns, PQsendQuery(connection->pg, sql)));
    return ax_postgres_discard(ctx, connection, until_ns, "run a statement");
}

/* ---- opening and closing ---- */

static void
say_nothing(void *arg, const char *message)
{
    (void)arg;
    (void)message; /* "relation exists, skipping" and the like */
}

void
ax_postgres_disconnect(struct ax_postgres_connection *connection)
{
    for (size_t i = 0; i < AX_POSTGRES_STATEMENTS; i++) {
        ax_free(connection->statements[i].sql);
        connection->statements[i] = (struct ax_postgres_statement){};
    }
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->broken = false;
    connection->stream = NULL;
    connection->timeout_ms = 0;
}

/* What the URL does not say; what it says wins over all before "dbname". */
static PGconn *
dial(struct ax_ctx *ctx, const struct ax_postgres_store *store)
{
    char seconds[24];
    int64_t left_ms = ax_clock_left_ns(ctx->deadline_ns) / 1'000'000;
    int64_t wait_ms =
        store->config.connect_ms_max < left_ms ? store->config.connect_ms_max : left_ms;
    int64_t whole = (wait_ms + 999) / 1'000;
    snprintf(seconds, sizeof seconds, "%lld",
             (long long)(whole < HOST_SECONDS_MIN ? HOST_SECONDS_MIN : whole));
    const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *const values[] = {seconds, "30",       "10",   "3", "30000",
                                  "axiom", store->url, "UTF8", NULL};
    return PQconnectdbParams(names, values, 1);
}

/* How every connection is set up, and the judgement of what we are connected to. */
static ax_status
set_up(struct ax_ctx *ctx, struct ax_postgres_connection *connection, int64_t until_ns)
{
    static const char setup[] = "select set_config('synchronous_commit', 'on', false) "
                                "where current_setting('synchronous_commit') = 'off';"
                                "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10;"
                                "set tcp_keepalives_count = 3; set extra_float_digits = 3;"
                                "set default_transaction_deferrable = off";
    const char *encoding = PQparameterStatus(connection->pg, "server_encoding");
    if (PQserverVersion(connection->pg) < VERSION_MIN)
        return ax_fail(ctx, AX_UNSUPPORTED, "database: PostgreSQL %d is older than 13",
                       PQserverVersion(connection->pg) / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return ax_fail(ctx, AX_UNSUPPORTED, "database: its encoding is %s, and UTF8 is needed",
                       encoding ? encoding : "unknown");
    if (PQsetnonblocking(connection->pg, 1) != 0)
        return lost(ctx, connection);
    return ax_postgres_command(ctx, connection, until_ns, setup);
}

ax_status
ax_postgres_connect(struct ax_ctx *ctx, const struct ax_postgres_store *store,
                    struct ax_postgres_connection *connection)
{
    ax_status status = AX_OK;
    if (ax_fault_here())
        return ax_fail(ctx, AX_UNAVAILABLE, "database: connect: as asked");
    connection->pg = dial(ctx, store);
    if (!connection->pg)
        return ax_fail(ctx, AX_LIMIT, "no memory for a database connection");
    if (PQstatus(connection->pg) != CONNECTION_OK) {
        char buffer[WORDS_BYTES];
        status = ax_fail(ctx, AX_UNAVAILABLE, "database: %.*s",
                         AX_FMT(words_of(connection->pg, buffer)));
    }
    if (status == AX_OK) {
        PQsetNoticeProcessor(connection->pg, say_nothing, NULL);
        int64_t until_ns = ax_clock_monotonic_ns() + store->config.connect_ms_max * 1'000'000;
        status = set_up(ctx, connection, until_ns);
    }
    if (status != AX_OK)
        ax_postgres_disconnect(connection);
    return status;
}
