#include "api_case.h"

static void public(struct ax_ctx *ctx, struct api_case *at)
{
    struct api_case_answer key =
        api_case_ask(ctx, at, NOBODY, "GET /api/v1/ledger/vkey", AX_STR(""));
    CHECK_EQ(key.status, 200);
    CHECK(ax_str_eq(ax_str_trim(key.body), ax_ledger_vkey(at->mlops.ledger)));
    struct api_case_answer old =
        api_case_ask(ctx, at, NOBODY, "GET /api/v1/ledger/checkpoint", AX_STR(""));
    CHECK_EQ(old.status, 200);
    CHECK(ax_str_starts(old.body, AX_STR("axiom.test/ledger\n")));
    struct api_case_answer fresh =
        api_case_ask(ctx, at, NOBODY, "GET /api/v1/ledger/checkpoint?fresh=true", AX_STR(""));
    ax_str size = ax_str_printf(ctx->arena, "axiom.test/ledger\n%llu\n",
                                (unsigned long long)ax_ledger_size(at->mlops.ledger));
    CHECK_EQ(fresh.status, 200);
    CHECK(ax_ledger_size(at->mlops.ledger) > 0); /* those who were hired, out of the outbox */
    CHECK(ax_str_starts(fresh.body, size));
    CHECK(!ax_str_eq(fresh.body, old.body));
    struct api_case_answer same =
        api_case_ask(ctx, at, NOBODY, "GET /api/v1/ledger/checkpoint", AX_STR(""));
    CHECK(ax_str_eq(same.body, fresh.body));
}

TEST(r84_the_checkpoint_and_its_key_are_public_and_fresh_when_asked)
{
    api_case_run(public);
}

static void
facts(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "GET /api/v1/ledger/facts", "", 403, "dana (developer) may not read the ledger"},
        {NOBODY, "GET /api/v1/ledger/facts", "", 401, "unauthenticated"},
        {LEX, "GET /api/v1/ledger/facts?from=0&count=2", "", 200, "\"facts\":[{\"index\":0,"},
        {LEX, "GET /api/v1/ledger/facts?from=1&count=1", "", 200, "\"facts\":[{\"index\":1,"},
        {LEX, "GET /api/v1/ledger/facts?from=1000000", "", 200, "\"facts\":[]"},
        {LEX, "GET /api/v1/ledger/facts?count=0", "", 200, "\"facts\":[]"},
        {LEX, "GET /api/v1/ledger/facts?count=1001", "", 400, "at most 1000 are given at once"},
        {LEX, "GET /api/v1/ledger/facts?count=-1", "", 400, "`count` must be a number from 0 on"},
        {LEX, "GET /api/v1/ledger/facts?from=x", "", 400, "`from` must be a number from 0 on"},
        {LEX, "GET /api/v1/ledger/facts/0", "", 200, "{\"index\":0,\"leaf_hash\":\""},
        {LEX, "GET /api/v1/ledger/facts/1000000", "", 404, "not_found"},
        {LEX, "GET /api/v1/ledger/facts/-1", "", 404, "not_found"},
        {LEX, "GET /api/v1/ledger/facts/0/proof", "", 200, "c2sp.org/tlog-proof@v1\n"},
        {LEX, "GET /api/v1/ledger/facts/1000000/proof", "", 404, "not_found"},
        {SAM, "GET /api/v1/ledger/facts/0/proof", "", 403, "denied"},
        {LEX, "GET /api/v1/ledger/status", "", 200, "\"queued\":0,"},
        {LEX, "GET /api/v1/ledger/status", "", 200, "\"failed\":false"},
        {ADA, "GET /api/v1/ledger/status", "", 403, "denied"},
    };
    CHECK_EQ(api_case_settle(at, ctx), AX_OK);
    CHECK_EQ(ax_ledger_publish(at->mlops.ledger, ctx), AX_OK);
    API_CASE_TABLE(ctx, at, rows);
    struct api_case_answer answer =
        api_case_ask(ctx, at, LEX, "GET /api/v1/ledger/facts?count=1000", AX_STR(""));
    CHECK_EQ(api_case_number(&answer, "size"), ax_ledger_size(at->mlops.ledger));
    CHECK_EQ(ax_json_count(ax_json_find(answer.json, "facts")), ax_ledger_size(at->mlops.ledger));
}

TEST(r84_facts_are_read_and_proved_by_who_audits)
{
    api_case_run(facts);
}

/* A tile's path is of the tile folder and nothing else. */
static void
tiles(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "GET /api/v1/ledger/tile/0/000.p/1", "", 401, "unauthenticated"},
        {LEX, "GET /api/v1/ledger/tile/9/000", "", 404, "no tile \\\"9/000\\\""},
        {LEX, "GET /api/v1/ledger/tile/%2e%2e/checkpoint", "", 404, "no such tile"},
        {LEX, "GET /api/v1/ledger/tile/0%2F..%2F..%2Fcheckpoint", "", 404, "no such tile"},
        {LEX, "GET /api/v1/ledger/tile/%2Fetc%2Fpasswd", "", 404, "no such tile"},
        {LEX, "GET /api/v1/ledger/tile/0/A", "", 404, "no such tile"},
        {LEX, "GET /api/v1/ledger/tile/0/~", "", 404, "no such tile"},
        {LEX, "GET /api/v1/ledger/tile/", "", 404, "not_found"},
    };
    CHECK_EQ(api_case_settle(at, ctx), AX_OK);
    CHECK_EQ(ax_ledger_publish(at->mlops.ledger, ctx), AX_OK);
    API_CASE_TABLE(ctx, at, rows);
    unsigned long long size = ax_ledger_size(at->mlops.ledger);
    ax_str width = ax_str_printf(ctx->arena, "%llu", size % 256);
    struct api_case_answer hashes =
        api_case_ask(ctx, at, LEX,
                     API_CASE_LINE(ctx, "GET /api/v1/ledger/tile/0/000.p/%.*s", width), AX_STR(""));
    CHECK_EQ(hashes.status, 200);
    CHECK_EQ(hashes.body.len, size * 32);
    struct api_case_answer entries = api_case_ask(
        ctx, at, LEX, API_CASE_LINE(ctx, "GET /api/v1/ledger/tile/entries/000.p/%.*s", width),
        AX_STR(""));
    CHECK_EQ(entries.status, 200);
    CHECK(entries.body.len > hashes.body.len);
    CHECK_STR(ax_client_header_find(&entries.whole, AX_STR("content-type")),
              "application/octet-stream");
}

TEST(tiles_are_served_and_no_other_file_is)
{
    api_case_run(tiles);
}

static void
backups(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {DANA, "POST /api/v1/backups", "{\"folder\":\"/x\"}", 403, "may not run backups"},
        {ROB, "POST /api/v1/backups", "{}", 400, "`folder` is missing"},
        {ROB, "POST /api/v1/backups", "{\"folder\":\"x\"}", 400, "x is no absolute path"},
        {ROB, "POST /api/v1/backups", "{\"folder\":\"/x\"}", 200, "{\"folder\":\"/x\"}"},
    };
    API_CASE_TABLE(ctx, at, rows);
}

static void
reloads(struct ax_ctx *ctx, struct api_case *at)
{
    static const struct api_case_row rows[] = {
        {NOBODY, "POST /api/v1/reload", "", 401, "unauthenticated"},
        {DANA, "POST /api/v1/reload", "", 403, "\"code\":\"denied\""},
        {ROB, "POST /api/v1/reload", "", 200, "{}"},
    };
    static const struct api_case_row refused[] = {
        {ROB, "POST /api/v1/reload", "", 400, "net.idle_ms cannot change"},
    };
    API_CASE_TABLE(ctx, at, rows);
    at->away = true;
    API_CASE_TABLE(ctx, at, refused);
}

TEST(r83_a_reload_is_asked_of_the_host_by_an_operator)
{
    api_case_run(reloads);
}

TEST(r93_a_backup_is_asked_of_the_host_by_an_operator)
{
    api_case_run(backups);
}
