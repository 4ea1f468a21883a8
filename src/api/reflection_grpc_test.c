#include "api/reflection_grpc.h"

#include "api/rpc.h"
#include "protobuf_case.h"

/* The text in field 1 of a description: its name. */
static ax_str
name_of(ax_str description)
{
    return protobuf_case_field(description, 1, 0).bytes;
}

/* Whether an embedded file describes a service of that name with that method. */
static bool
describes(const struct ax_reflection_file *file, const char *service_name, const char *method)
{
    struct ax_protobuf set = ax_protobuf_of(file->bytes);
    if (!ax_protobuf_next(&set))
        return false;
    struct ax_protobuf field = ax_protobuf_of(set.bytes);
    ax_str package = AX_STR("");
    bool found = false;
    while (ax_protobuf_next(&field)) {
        if (ax_protobuf_is(&field, 2, AX_PROTOBUF_BYTES))
            package = field.bytes;
        if (!ax_protobuf_is(&field, 6, AX_PROTOBUF_BYTES))
            continue;
        ax_str service = name_of(field.bytes), wanted = ax_str_of(service_name);
        if (!ax_str_starts(wanted, package) || !ax_str_ends(wanted, service))
            continue;
        struct ax_protobuf part = ax_protobuf_of(field.bytes);
        while (ax_protobuf_next(&part))
            found |= ax_protobuf_is(&part, 2, AX_PROTOBUF_BYTES) &&
                     ax_str_eq(name_of(part.bytes), ax_str_of(method));
    }
    return found;
}

/* What reflection tells and what is answered are the same services. */
TEST(reflection_describes_the_methods_that_are_there)
{
    for (size_t s = 0; s < ax_rpc_service_count; s++)
        for (size_t m = 0; m < ax_rpc_services[s]->method_count; m++) {
            const char *method = ax_rpc_services[s]->methods[m].name;
            bool found = strstr(method, "SharedMemory") != NULL; /* told by nobody: not here */
            for (size_t f = 0; f < ax_reflection_file_count; f++)
                found |= describes(&ax_reflection_files[f], ax_rpc_services[s]->name, method);
            if (!found)
                ax_test_failed(__FILE__, __LINE__, "%s/%s is not described",
                               ax_rpc_services[s]->name, method);
        }
}
