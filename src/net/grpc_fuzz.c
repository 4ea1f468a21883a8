#include "net/grpc_bench_test.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The first byte chooses the method, the second the encoding, the third how the body is cut. Every
 * call is answered, with one status.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const encodings[] = {"", "grpc-encoding: gzip\n",
                                            "grpc-encoding: deflate\n"};
    char path[64], fields[128];
    if (size < 3)
        return 0;
    const struct ax_grpc_method *methods = grpc_bench_methods;
    const char *name = methods[data[0] % AX_COUNT_OF(grpc_bench_methods)].name;
    snprintf(path, sizeof path, "/a.Test/%s", name);
    snprintf(fields, sizeof fields, "content-type: application/grpc\n%s",
             encodings[data[1] % AX_COUNT_OF(encodings)]);
    AX_ASSERT(grpc_bench_open());
    struct http2_bench *bench = &grpc_bench.http2;
    bench->piece_bytes = 1 + data[2];
    int32_t id = http2_client_ask(&bench->client, "POST", path, fields,
                                  (ax_str){(const char *)data + 3, size - 3}, false);
    http2_bench_pump(bench);
    grpc_bench_let_go();
    http2_bench_pump(bench);
    const struct http2_reply *reply = http2_reply_of(&bench->client, id);
    bool in_head = strstr(reply->head, "grpc-status: ") != NULL;
    bool behind = strstr(reply->trailers, "grpc-status: ") != NULL;
    AX_ASSERT(reply->closed && reply->status == 200 && in_head != behind);
    AX_ASSERT(grpc_bench.ended == 1);
    http2_bench_close(bench);
    return 0;
}
