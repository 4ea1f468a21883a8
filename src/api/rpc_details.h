/*
 * What a failed gRPC call says for programs: google.rpc.Status with its details.
 *
 * ErrorInfo names the reason; BadRequest the field that breaks a rule, where the words name it;
 * RetryInfo how long to wait before it is worth another try. Source: googleapis google/rpc
 * status.proto, error_details.proto.
 */
#pragma once

#include "base/ctx.h"
#include "base/writer.h"

struct ax_rpc_failure {
    ax_status status;
    int code;              /* as in grpc-status */
    ax_str words;          /* as in grpc-message */
    ax_str reason;         /* "four_eyes"; "": the status's own name */
    ax_str trace_id;       /* joins logs and answer */
    int64_t retry_after_s; /* of one that may be tried again; 0: a second */
};

/* A serialized google.rpc.Status; nothing where the words are not UTF-8. */
void ax_rpc_details(const struct ax_rpc_failure *failure, struct ax_writer *out);
