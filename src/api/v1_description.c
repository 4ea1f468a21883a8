/* /api/v1/openapi.json: the API described by its own route tables, with one example per proposal.
 */
#include "api/route.h"

/* One example of `change` for each kind of proposal (docs/formats.md section 7). */
static const struct {
    const char *kind, *subject, *change;
} proposals[] = {
    {"model_version", "credit/1", "{\"state\":\"approved\"}"},
    {"deployment", "credit",
     "{\"champion\":{\"model\":\"credit\",\"version\":1},\"challengers\":[],"
     "\"policy\":{\"name\":\"credit-policy\",\"version\":1},\"record\":\"durable\",\"tier\":2}"},
    {"policy", "credit-policy",
     "{\"approve_below\":0.35,\"decline_from\":0.55,\"reason_map\":\"credit-reasons\"}"},
    {"threshold", "credit-policy", "{\"approve_below\":0.3,\"decline_from\":0.5}"},
    {"reason_map", "credit-reasons",
     "{\"language\":\"en\",\"reasons\":[{\"code\":\"R01\",\"text\":\"Length of the requested "
     "credit\",\"features\":[\"duration_in_month\"],\"disclose\":true}]}"},
    {"tier", "credit", "{\"materiality\":\"high\",\"complexity\":\"medium\",\"tier\":1}"},
    {"role", "ada", "{\"grant\":[\"approver\"],\"line\":2}"},
    {"key", "ada", "{\"enroll\":\"<public key>\",\"proof\":\"<signature>\",\"valid_days\":365}"},
    {"breaker", "credit", "{\"state\":\"closed\",\"reason\":\"the feed is mended\"}"},
    {"kill", "deployment:credit", "{\"state\":\"released\",\"reason\":\"prices are right\"}"},
    {"erasure", "applicant-17", "{\"reason\":\"the person asked for it\"}"},
    {"quorum", "governance", "{\"2\":{\"approvals\":2,\"second_line\":1}}"},
};

static void
show_examples(struct ax_json_writer *json)
{
    ax_json_key(json, "examples");
    ax_json_begin_object(json);
    for (size_t i = 0; i < AX_COUNT_OF(proposals); i++) {
        ax_json_key(json, proposals[i].kind);
        ax_json_begin_object(json);
        ax_json_key(json, "value");
        ax_json_begin_object(json);
        ax_json_member_text(json, "kind", ax_str_of(proposals[i].kind));
        ax_json_member_text(json, "subject", ax_str_of(proposals[i].subject));
        ax_json_key(json, "change");
        ax_json_put_raw(json, ax_str_of(proposals[i].change));
        ax_json_end_object(json);
        ax_json_end_object(json);
    }
    ax_json_end_object(json);
}

static void
show_body(const struct ax_route *route, struct ax_json_writer *json)
{
    if (route->body == AX_ROUTE_NO_BODY)
        return;
    bool bytes = route->body == AX_ROUTE_BYTES;
    ax_json_key(json, "requestBody");
    ax_json_begin_object(json);
    ax_json_member_bool(json, "required", true);
    ax_json_key(json, "content");
    ax_json_begin_object(json);
    ax_json_key(json, bytes ? "application/octet-stream" : "application/json");
    ax_json_begin_object(json);
    ax_json_key(json, "schema");
    ax_json_put_raw(json, bytes ? AX_STR("{\"type\":\"string\",\"format\":\"binary\"}")
                                : AX_STR("{\"type\":\"object\"}"));
    if (strcmp(route->pattern, "/api/v1/proposals") == 0)
        show_examples(json);
    ax_json_end_object(json);
    ax_json_end_object(json);
    ax_json_end_object(json);
}

static void
show_parameters(ax_str pattern, struct ax_json_writer *json)
{
    ax_str rest = pattern, segment;
    ax_json_key(json, "parameters");
    ax_json_begin_array(json);
    while (ax_str_cut(&rest, '/', &segment)) {
        if (segment.len < 3 || segment.at[0] != '{')
            continue;
        ax_str name = {segment.at + 1, segment.len - 2};
        if (ax_str_ends(name, AX_STR("*")))
            name.len--;
        ax_json_begin_object(json);
        ax_json_member_text(json, "name", name);
        ax_json_member_text(json, "in", AX_STR("path"));
        ax_json_member_bool(json, "required", true);
        ax_json_key(json, "schema");
        ax_json_put_raw(json, AX_STR("{\"type\":\"string\"}"));
        ax_json_end_object(json);
    }
    ax_json_end_array(json);
}

static void
show_operation(const struct ax_route *route, struct ax_json_writer *json)
{
    static const char *const methods[] = {"get", "head", "post", "put", "patch", "delete"};
    ax_json_key(json, methods[route->method]);
    ax_json_begin_object(json);
    ax_json_member_text(json, "summary", ax_str_of(route->summary));
    show_parameters(ax_str_of(route->pattern), json);
    show_body(route, json);
    ax_json_key(json, "responses");
    ax_json_put_raw(json, AX_STR("{\"2XX\":{\"description\":\"The answer\"},"
                                 "\"default\":{\"$ref\":\"#/components/responses/Problem\"}}"));
    if (route->permission == AX_PERMISSION_PUBLIC) {
        ax_json_key(json, "security");
        ax_json_put_raw(json, AX_STR("[]"));
    }
    ax_json_end_object(json);
}

/* Methods of one path stand together, as the document wants them. */
static bool
seen_before(size_t table, size_t route)
{
    const char *pattern = ax_route_tables[table]->routes[route].pattern;
    for (size_t t = 0; t <= table; t++)
        for (size_t r = 0; r < (t == table ? route : ax_route_tables[t]->count); r++)
            if (strcmp(ax_route_tables[t]->routes[r].pattern, pattern) == 0)
                return true;
    return false;
}

static void
show_path(const char *pattern, struct ax_json_writer *json)
{
    ax_writer_auto struct ax_writer name = ax_writer_of(256);
    for (const char *at = pattern; *at; at++)
        if (*at != '*')
            ax_writer_char(&name, *at);
    ax_json_key_str(json, ax_writer_str(&name));
    ax_json_begin_object(json);
    for (size_t t = 0; t < ax_route_table_count; t++)
        for (size_t r = 0; r < ax_route_tables[t]->count; r++)
            if (strcmp(ax_route_tables[t]->routes[r].pattern, pattern) == 0)
                show_operation(&ax_route_tables[t]->routes[r], json);
    ax_json_end_object(json);
}

static ax_status
openapi(struct ax_call *call, struct ax_ctx *)
{
    struct ax_json_writer *json = ax_call_json(call);
    ax_json_begin_object(json);
    ax_json_member_text(json, "openapi", AX_STR("3.1.0"));
    ax_json_key(json, "info");
    ax_json_put_raw(json, AX_STR("{\"title\":\"Axiom\",\"version\":\"" AX_VERSION
                                 "\",\"description\":\"Models, decisions and their governance. "
                                 "Objects: docs/formats.md.\"}"));
    ax_json_key(json, "security");
    ax_json_put_raw(json, AX_STR("[{\"token\":[]}]"));
    ax_json_key(json, "paths");
    ax_json_begin_object(json);
    for (size_t t = 0; t < ax_route_table_count; t++) /* MLflow describes its own */
        for (size_t r = 0; !ax_route_tables[t]->tracked && r < ax_route_tables[t]->count; r++)
            if (!seen_before(t, r))
                show_path(ax_route_tables[t]->routes[r].pattern, json);
    ax_json_end_object(json);
    ax_json_key(json, "components");
    ax_json_put_raw(
        json,
        AX_STR("{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
               "\"responses\":{\"Problem\":{\"description\":\"RFC 9457\",\"content\":"
               "{\"application/problem+json\":{\"schema\":{\"type\":\"object\",\"properties\":{"
               "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
               "\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\"},"
               "\"detail\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"}}}}}}}}"));
    ax_json_end_object(json);
    return AX_OK;
}

static const struct ax_route routes[] = {
    {AX_HTTP_GET, "/api/v1/openapi.json", AX_PERMISSION_PUBLIC, AX_ROUTE_WORKER, AX_ROUTE_NO_BODY,
     0, openapi, "This description"},
};

const struct ax_route_table ax_v1_description_table = {
    routes, AX_COUNT_OF(routes), true, false, ax_problem_refuse, AX_DIALECT_AXIOM};
