/*
 * Server reflection: so that grpcurl and ghz need no .proto file.
 *
 * The files know nothing of each other, so each request is answered by one of them. A symbol is
 * sought in the descriptions themselves: messages, enums, services and methods, with their names
 * nested. Source: grpc/grpc doc/server-reflection.md; google/protobuf/descriptor.proto.
 */
#include "api/reflection_grpc.h"

#include "api/rpc.h"
#include "codec/protobuf.h"

enum { /* ServerReflectionRequest */
       BY_FILENAME = 3,
       BY_SYMBOL = 4,
       BY_EXTENSION = 5,
       EXTENSIONS_OF = 6,
       LIST_SERVICES = 7,
};
enum { /* ServerReflectionResponse */ ORIGINAL = 2, FILES = 4, SERVICES = 6, ERROR = 7 };
enum { /* FileDescriptorProto */ FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4 };
enum { FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { /* DescriptorProto */ NESTED_MESSAGE = 3, NESTED_ENUM = 4 };
enum { NAME = 1, SERVICE_METHOD = 2, DEPTH_MAX = 8 };

/* The FileDescriptorProto inside its set. */
static ax_str
descriptor_of(const struct ax_reflection_file *file)
{
    struct ax_protobuf set = ax_protobuf_of(file->bytes);
    return ax_protobuf_next(&set) ? set.bytes : AX_STR("");
}

static ax_str
text_of(ax_str message, uint32_t field)
{
    struct ax_protobuf reading = ax_protobuf_of(message);
    while (ax_protobuf_next(&reading))
        if (ax_protobuf_is(&reading, field, AX_PROTOBUF_BYTES))
            return reading.bytes;
    return AX_STR("");
}

/* Takes "name" or "name." off the front of a symbol; false when it does not begin so. */
static bool
cut_name(ax_str *symbol, ax_str name)
{
    if (name.len == 0)
        return true;
    if (!ax_str_starts(*symbol, name))
        return false;
    ax_str rest = ax_str_from(*symbol, name.len);
    if (rest.len > 0 && rest.at[0] != '.')
        return false;
    *symbol = rest.len ? ax_str_from(rest, 1) : rest;
    return true;
}

/* Whether a description, or one nested in it, is the symbol. nested: fields that hold such. */
static bool
holds(ax_str description, ax_str symbol, const uint32_t *nested, int depth)
{
    if (!cut_name(&symbol, text_of(description, NAME)))
        return false;
    if (symbol.len == 0)
        return true;
    struct ax_protobuf reading = ax_protobuf_of(description);
    while (depth > 0 && ax_protobuf_next(&reading))
        for (size_t i = 0; nested[i]; i++)
            if (ax_protobuf_is(&reading, nested[i], AX_PROTOBUF_BYTES) &&
                holds(reading.bytes, symbol, nested, depth - 1))
                return true;
    return false;
}

static bool
file_holds(ax_str file, ax_str symbol)
{
    static const uint32_t in_message[] = {NESTED_MESSAGE, NESTED_ENUM, 0};
    static const uint32_t in_service[] = {SERVICE_METHOD, 0};
    if (!cut_name(&symbol, text_of(file, FILE_PACKAGE)) || symbol.len == 0)
        return false;
    struct ax_protobuf reading = ax_protobuf_of(file);
    while (ax_protobuf_next(&reading)) {
        if (reading.wire != AX_PROTOBUF_BYTES)
            continue;
        bool message = reading.field == FILE_MESSAGE || reading.field == FILE_ENUM;
        if ((message && holds(reading.bytes, symbol, in_message, DEPTH_MAX)) ||
            (reading.field == FILE_SERVICE && holds(reading.bytes, symbol, in_service, 1)))
            return true;
    }
    return false;
}

/* The file of a name, or that holds a symbol; "" when there is none. */
static ax_str
find_file(uint32_t kind, ax_str wanted)
{
    for (size_t i = 0; i < ax_reflection_file_count; i++) {
        ax_str file = descriptor_of(&ax_reflection_files[i]);
        if (kind == BY_FILENAME ? ax_str_eq(text_of(file, FILE_NAME), wanted)
                                : file_holds(file, wanted))
            return file;
    }
    return AX_STR("");
}

static void
put_error(struct ax_writer *out, enum ax_grpc_code code, const char *words)
{
    size_t begun = ax_protobuf_begin(out, ERROR);
    ax_protobuf_put_varint(out, 1, (uint64_t)code);
    ax_protobuf_put_bytes(out, 2, ax_str_of(words));
    ax_protobuf_end(out, begun);
}

static void
put_services(struct ax_writer *out)
{
    size_t begun = ax_protobuf_begin(out, SERVICES);
    for (size_t i = 0; i < ax_rpc_service_count; i++) {
        size_t service = ax_protobuf_begin(out, 1);
        ax_protobuf_put_bytes(out, 1, ax_str_of(ax_rpc_services[i]->name));
        ax_protobuf_end(out, service);
    }
    ax_protobuf_end(out, begun);
}

static void
put_file(struct ax_writer *out, uint32_t kind, ax_str wanted)
{
    ax_str file = find_file(kind, wanted);
    if (file.len == 0) {
        put_error(out, AX_GRPC_NOT_FOUND, "no file or symbol of that name");
        return;
    }
    size_t begun = ax_protobuf_begin(out, FILES);
    ax_protobuf_put_bytes(out, 1, file);
    ax_protobuf_end(out, begun);
}

static ax_status
reflect(struct ax_grpc_call *grpc, struct ax_ctx *ctx)
{
    if (ax_grpc_half_closed(grpc))
        return AX_OK;
    ax_str request = ax_grpc_message(grpc), wanted = AX_STR("");
    struct ax_protobuf field = ax_protobuf_of(request);
    uint32_t kind = 0;
    while (ax_protobuf_next(&field))
        if (field.wire == AX_PROTOBUF_BYTES && field.field >= BY_FILENAME &&
            field.field <= LIST_SERVICES) {
            kind = field.field;
            wanted = field.bytes;
        }
    AX_TRY(ax_protobuf_check(&field, ctx, "ServerReflectionRequest"));
    struct ax_writer *out = ax_grpc_reply(grpc);
    ax_protobuf_put_bytes(out, ORIGINAL, request);
    if (kind == LIST_SERVICES)
        put_services(out);
    else if (kind == BY_FILENAME || kind == BY_SYMBOL)
        put_file(out, kind, wanted);
    else
        put_error(out, AX_GRPC_NOT_FOUND, "there are no extensions");
    return AX_OK;
}

static const struct ax_grpc_method methods[] = {
    {"ServerReflectionInfo", AX_GRPC_STREAM, 0, reflect, "Descriptions of the services",
     &ax_rpc_public},
};

const struct ax_grpc_service ax_reflection_grpc_service = {"grpc.reflection.v1.ServerReflection",
                                                           methods, AX_COUNT_OF(methods)};
const struct ax_grpc_service ax_reflection_alpha_grpc_service = {
    "grpc.reflection.v1alpha.ServerReflection", methods, AX_COUNT_OF(methods)};
