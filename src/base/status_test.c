#include "base/status.h"

#include "harness.h"

static const ax_status all[] = {
#define X(name, http, grpc, retry, meaning) AX_##name,
    AX_STATUS_MAP(X)
#undef X
};

TEST(status_has_a_name_a_meaning_and_a_code_for_each_wire)
{
    static const struct {
        ax_status status;
        const char *name;
        int http, grpc;
        bool retry;
    } cases[] = {
        {AX_OK, "OK", 200, 0, false},
        {AX_INVALID, "INVALID", 400, 3, false},
        {AX_UNAUTHENTICATED, "UNAUTHENTICATED", 401, 16, false},
        {AX_DENIED, "DENIED", 403, 7, false},
        {AX_NOT_FOUND, "NOT_FOUND", 404, 5, false},
        {AX_CONFLICT, "CONFLICT", 409, 10, false},
        {AX_LIMIT, "LIMIT", 429, 8, true},
        {AX_INTERNAL, "INTERNAL", 500, 13, false},
        {AX_CORRUPT, "CORRUPT", 500, 15, false},
        {AX_UNSUPPORTED, "UNSUPPORTED", 501, 12, false},
        {AX_UNAVAILABLE, "UNAVAILABLE", 503, 14, true},
        {AX_TIMEOUT, "TIMEOUT", 504, 4, true},
    };
    CHECK_EQ(AX_COUNT_OF(cases), AX_COUNT_OF(all));
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        CHECK_EQ(cases[i].status, all[i]);
        CHECK(strcmp(ax_status_name(all[i]), cases[i].name) == 0);
        CHECK_EQ(ax_status_http(all[i]), cases[i].http);
        CHECK_EQ(ax_status_grpc(all[i]), cases[i].grpc);
        CHECK_EQ(ax_status_retry(all[i]), cases[i].retry);
        CHECK(strlen(ax_status_meaning(all[i])) > 0);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(ax_status_meaning(all[i]), ax_status_meaning(all[k])) != 0);
    }
}

static int calls;

static ax_status
give(ax_status status)
{
    calls++;
    return status;
}

static ax_status
try_two(ax_status first, ax_status second)
{
    AX_TRY(give(first));
    AX_TRY(give(second));
    return AX_OK;
}

TEST(status_passes_on_what_went_wrong_first)
{
    CHECK_EQ(try_two(AX_OK, AX_OK), AX_OK);
    CHECK_EQ(try_two(AX_OK, AX_LIMIT), AX_LIMIT);
    CHECK_EQ(calls, 4);
    CHECK_EQ(try_two(AX_DENIED, AX_LIMIT), AX_DENIED);
    CHECK_EQ(calls, 5);
}
