/*
 * The issuer of tokens that a server trusts: its keys, kept fresh, and what verified tokens said.
 *
 * Keys come from a file or over HTTPS. They are read by a job (ax_jwt_issuer_upkeep) and swapped
 * whole; when they cannot be had the last good ones go on. A token whose key is not known asks for
 * them earlier, at most every ten seconds, so that a rotation is seen in time and a flood of wrong
 * names reaches nobody. What a verified token said is remembered under its hash until it expires,
 * in a bounded table; with new keys, everything is forgotten.
 *
 * Asking is for loops: a signature is checked there (tens of microseconds), nothing waits.
 */
#pragma once

#include "auth/jwt.h"
#include "sys/settings.h"

struct ax_jwt_issuer;

struct ax_jwt_config { /* section "jwt" */
    ax_str issuer;     /* "": no tokens of this kind are taken */
    ax_str audience;
    ax_str keys;       /* path of a JWK set, or https://... */
    ax_str algorithms; /* words with spaces between them */
    ax_str subject_claim;
    ax_str groups_claim;
    ax_str roles; /* "group=role group=role": what a group's members may as services */
    int64_t skew_ms;
    int64_t refresh_ms; /* until keys are read again, when their source does not say */
};

extern const struct ax_settings ax_jwt_settings;

/*
 * config: copied. out_issuer: owned; NULL when no issuer is set. Keys of a file are read now, those
 * behind a URL by the first upkeep.
 * Fails: INVALID (a setting is missing or none, a role that no service may have), NOT_FOUND, LIMIT.
 */
ax_status ax_jwt_issuer_open(struct ax_ctx *ctx, const struct ax_jwt_config *config,
                             struct ax_jwt_issuer **out_issuer);
void ax_jwt_issuer_close(struct ax_jwt_issuer *issuer);
AX_DEFINE_AUTO(struct ax_jwt_issuer, ax_jwt_issuer_close);

/* A job, every second or so; reads the keys when that is due. Fails: as reading does. */
ax_status ax_jwt_issuer_upkeep(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx);

/* For readiness: UNAVAILABLE while no keys are known; says why. */
ax_status ax_jwt_issuer_check(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx);

struct ax_jwt_bearer {
    char subject[AX_JWT_SUBJECT_BYTES_MAX + 1]; /* terminated */
    uint32_t roles;                             /* that the groups give; of a service */
    ax_digest token;                            /* of the token as it came */
};

/*
 * Whom the token speaks of. Fails: UNAUTHENTICATED, says why; UNAVAILABLE while no keys are known.
 */
ax_status ax_jwt_issuer_verify(struct ax_jwt_issuer *issuer, struct ax_ctx *ctx, ax_str token,
                               struct ax_jwt_bearer *out_bearer);

/* The same of a token that was verified before and still holds, at the cost of its hash. */
[[nodiscard]] bool ax_jwt_issuer_recall(struct ax_jwt_issuer *issuer, ax_str token,
                                        struct ax_jwt_bearer *out_bearer);
