/*
 * Every kind of fact the ledger may hold, and the bytes of one: the leaf of the Merkle tree.
 *
 * A fact is typed, never changed, and says who, when, about what, under which configuration. The
 * leaf holds pseudonymous ids, digests and commitments only; what a person could be known by is
 * the payload's (vault.h). Its form is deterministic CBOR: one meaning, one byte string
 * (audit-log.md section 3). A reader passes over kinds and fields it does not know.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"
#include "base/writer.h"
#include "codec/json.h"
#include "sys/crypto.h"

/* Numbers are stored for ever: a new kind takes a new number, an old one is never given again. */
/*   name            number  word               meaning */
#define AX_EVENT_MAP(X)                                                                            \
    X(DECISION, 1, "decision", "a model answered and a policy decided")                            \
    X(OUTCOME, 2, "outcome", "what came true of a decision, known later")                          \
    X(REVIEW, 3, "review", "a person's result on a referred or contested decision")                \
    X(REFUSAL, 4, "refusal", "a decision was asked for and not made")                              \
    X(REPLAY, 5, "replay", "a decision was computed again and compared")                           \
    X(PROPOSAL, 10, "proposal", "a change was proposed")                                           \
    X(APPROVAL, 11, "approval", "a person signed a proposal")                                      \
    X(REJECTION, 12, "rejection", "a person refused a proposal")                                   \
    X(EXPIRY, 13, "expiry", "a proposal or an approval ran out")                                   \
    X(CHANGE, 14, "change", "an approved change took effect")                                      \
    X(MODEL, 20, "model", "a model's inventory record was made or changed")                        \
    X(MODEL_VERSION, 21, "model_version", "a version of a model was registered")                   \
    X(STATE_CHANGE, 22, "state_change", "a version moved from one state to another")               \
    X(VALIDATION, 23, "validation", "a test plan was fixed, run or concluded")                     \
    X(FINDING, 24, "finding", "something is wrong with a model, or no longer is")                  \
    X(DEPLOYMENT, 25, "deployment", "what is served changed")                                      \
    X(POLICY, 26, "policy", "a decision policy or reason map was made or changed")                 \
    X(DATASET, 27, "dataset", "a dataset got a version")                                           \
    X(TRAINING_RUN, 28, "training_run", "a model was trained")                                     \
    X(EXPERIMENT, 29, "experiment", "an experiment was begun, changed or concluded")               \
    X(BREAKER, 40, "breaker", "a circuit breaker opened or closed")                                \
    X(KILL_SWITCH, 41, "kill_switch", "a kill switch was thrown or released")                      \
    X(ALERT, 42, "alert", "a monitor asks for attention")                                          \
    X(ERASURE, 50, "erasure", "an entity's data key was destroyed")                                \
    X(LEGAL_HOLD, 51, "legal_hold", "erasing was forbidden or allowed again")                      \
    X(PURGE, 52, "purge", "payloads past their retention were removed")                            \
    X(USER, 60, "user", "a person or service was made, changed or removed")                        \
    X(ROLE, 61, "role", "a role was granted or taken back")                                        \
    X(KEY, 62, "key", "a key was enrolled, rotated or revoked")                                    \
    X(TOKEN, 63, "token", "a token was issued or revoked")                                         \
    X(ACCESS_ALLOWED, 64, "access_allowed", "a sensitive access was allowed")                      \
    X(ACCESS_DENIED, 65, "access_denied", "an access was refused")                                 \
    X(SETTING, 66, "setting", "a setting of the system changed")                                   \
    X(START, 80, "start", "the server started")                                                    \
    X(STOP, 81, "stop", "the server stopped in order")                                             \
    X(HEARTBEAT, 82, "heartbeat", "the log lives although nothing happened")                       \
    X(RECOVERY, 83, "recovery", "a torn write was cut off at start")                               \
    X(BACKUP, 84, "backup", "a backup was taken")                                                  \
    X(RESTORE, 85, "restore", "a backup was restored and proven")                                  \
    X(SEAL, 90, "seal", "the last fact of this log: the next origin")                              \
    X(GENESIS, 91, "genesis", "the first fact of this log: the one before it")                     \
    X(KEY_CHANGE, 92, "key_change", "the log's own key was rotated")

enum ax_event_kind {
#define X(name, number, word, meaning) AX_EVENT_##name = (number),
    AX_EVENT_MAP(X)
#undef X
};

enum {
    AX_EVENT_BYTES_MAX = 65'535, /* C2SP entry bundles count a leaf in 16 bits */
    AX_EVENT_LINKS_MAX = 8,
    AX_EVENT_TEXT_BYTES_MAX = 256, /* producer, actor and object ids */
    AX_EVENT_BODY_BYTES_MAX = 32'768,
    AX_EVENT_KEY_ID_BYTES = 16,
};

/* A digest of 32 zero bytes means "none" in the fields below; so do "", 0 and key_id zeros. */
struct ax_event {
    uint32_t kind;       /* enum ax_event_kind, or one that this program does not know */
    ax_str producer;     /* who hands in: "decision", "outbox", "ledger" */
    uint64_t sequence;   /* of the producer, from 1; the ledger gives the next when 0 */
    ax_digest previous;  /* leaf hash of the producer's fact before; the ledger fills it in */
    int64_t event_ns;    /* when it happened, UTC; the ledger takes its own time when 0 */
    int64_t log_ns;      /* when the ledger took it; the ledger fills it in */
    ax_str clock_source; /* "" when not measured; offset and bound belong to it (R60) */
    int64_t clock_offset_ns;
    int64_t clock_bound_ns;
    ax_str actor;         /* pseudonymous id of the person or service accountable */
    uint32_t actor_roles; /* AX_ROLE_BIT(...) | ... */
    ax_digest actor_cert; /* SHA-256 of the certificate or token they came with */
    ax_str object;        /* id of what it is about: decision, proposal, model/version */
    ax_digest object_hash;
    ax_digest payload_commit; /* HMAC-SHA-256(blind, canonical payload) */
    ax_digest payload_ref;    /* SHA-256 of the sealed payload */
    uint64_t payload_bytes;   /* of the sealed payload; 0 for none */
    uint8_t key_id[AX_EVENT_KEY_ID_BYTES];
    ax_digest config_hash;
    ax_str build_id;
    uint32_t retention;                 /* class; 0: the default one */
    uint64_t links[AX_EVENT_LINKS_MAX]; /* leaf indices of facts it refers to */
    size_t link_count;
    ax_str body; /* what everybody may read, deterministic CBOR; of seal, genesis, erasure ... */
};

/* The word of a kind; "unknown" for one this program does not know. */
const char *ax_event_kind_name(uint32_t kind);
[[nodiscard]] bool ax_event_kind_parse(ax_str word, uint32_t *out_kind);

/* Whether its fields can be written: lengths, UTF-8, form of the body. Fails: INVALID, says which.
 */
ax_status ax_event_check(struct ax_ctx *ctx, const struct ax_event *event);

/* No more bytes than this will ax_event_write write. */
size_t ax_event_bytes_max(const struct ax_event *event);

/* The leaf; one that ax_event_check passed. */
void ax_event_write(const struct ax_event *event, struct ax_writer *out);

/*
 * A leaf back to its fields, borrowed from it; unknown fields are passed over.
 *
 * Fails: INVALID when it is not deterministic CBOR of this shape.   Source: audit-log.md section 3.
 */
ax_status ax_event_read(struct ax_ctx *ctx, ax_str leaf, struct ax_event *out_event);

/* A JSON object for people: a view, never hashed. */
void ax_event_show(const struct ax_event *event, struct ax_json_writer *out);
