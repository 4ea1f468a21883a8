/*
 * The payload log: what was asked of models and what they answered, one line of JSON a request.
 *
 * For those who look for drift or debug a client; the ledger is the record. Its lines hold personal
 * data in the clear, where no role guards them and no erasure reaches them: it is off unless a file
 * is named, the file is its owner's alone, and a governed server refuses it unless that was allowed
 * by name, and then says so in the ledger. Only requests for a model's score are ever in it: no
 * credential, no user, no proposal. Names as in KServe's logger and CloudEvents' JSON format, where
 * they fit.
 */
#pragma once

#include "sys/metrics.h"
#include "sys/settings.h"

struct ax_payload_log;
struct ax_seen;

struct ax_payload_log_config {
    ax_str file; /* "" is off */
    double sample_ratio;
    int64_t buffer_bytes;
    int64_t payload_bytes_max;
    bool governed; /* may be on where decisions are governed */
};

extern const struct ax_settings ax_payload_log_settings;

/*
 * NULL when it is off. Says loudly in the log what it means when it is on.
 * Fails: DENIED on a governed server that does not allow it; INVALID; as the file; LIMIT.
 */
ax_status ax_payload_log_open(struct ax_ctx *ctx, const struct ax_payload_log_config *config,
                              bool governed, struct ax_metrics *metrics,
                              struct ax_payload_log **out_log);
void ax_payload_log_close(struct ax_payload_log *log); /* NULL is fine, here and below */
void ax_payload_log_reopen(struct ax_payload_log *log);

/* The body of the fact that it is on: CBOR, 1: the file, 2: the share of the requests. */
void ax_payload_log_put_fact(const struct ax_payload_log_config *config, struct ax_writer *out);

/* What came or went, as its Content-Type says. Borrowed. */
struct ax_payload {
    ax_str type;  /* "" when it says nothing */
    ax_str split; /* Inference-Header-Content-Length: where binary tensors begin; or "" */
    ax_str bytes; /* in no coding */
};

struct ax_payloads {
    ax_str asked; /* the model or deployment by the name that was asked for */
    struct ax_payload request, answer;
    ax_str grpc_message; /* of a refusal over gRPC */
};

/* Whether a request is in it: by its id alone. */
bool ax_payload_log_keeps(const struct ax_payload_log *log, ax_str request_id);

/* A request that is. Any thread; never waits for the file. */
void ax_payload_log_write(struct ax_payload_log *log, const struct ax_seen *seen,
                          const struct ax_payloads *payloads);
