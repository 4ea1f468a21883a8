#include "base/status.h"

static const struct {
    const char *name;
    const char *meaning;
    int http;
    int grpc;
    bool retry;
} facts[] = {
#define X(name, http, grpc, retry, meaning) [AX_##name] = {#name, meaning, http, grpc, retry},
    AX_STATUS_MAP(X)
#undef X
};

int
ax_status_http(ax_status status)
{
    return facts[status].http;
}

const char *
ax_status_name(ax_status status)
{
    return facts[status].name;
}

int
ax_status_grpc(ax_status status)
{
    return facts[status].grpc;
}

bool
ax_status_retry(ax_status status)
{
    return facts[status].retry;
}

const char *
ax_status_meaning(ax_status status)
{
    return facts[status].meaning;
}
