/*
 * The one place where a route or method asks who the caller is and whether they may: by role, by
 * the models they are limited to, and by what the protocol's own permissions add.
 *
 * What is refused or allowed of a privileged action becomes a fact here (R86). A caller who is
 * limited to some models is refused wherever nothing says which model it is about: a new route has
 * to say so before it opens.
 */
#pragma once

#include "api/route.h"

/* What the api keeps for it: owned by route.c. */
struct ax_access;

ax_status ax_access_open(struct ax_ctx *ctx, struct ax_access **out_access);
void ax_access_close(struct ax_access *access);

/*
 * Says who the caller is, in call->actor and as ctx->actor. On loops. A password that has to be
 * verified first is in call->unverified: then nothing may be done before ax_access_verify.
 * Fails: as ax_credential_authenticate.
 */
ax_status ax_access_identify(struct ax_call *call, struct ax_ctx *ctx);

/* Whether they may. Fails: DENIED, UNAUTHENTICATED; UNAVAILABLE when the fact cannot be kept. */
ax_status ax_access_check(struct ax_access *access, struct ax_call *call, struct ax_ctx *ctx,
                          enum ax_permission permission);

/* Of an unverified caller: on a thread that may wait. Fails: as ax_credential_verify. */
ax_status ax_access_verify(struct ax_call *call, struct ax_ctx *ctx);

/* The parameter of a pattern that names a model or deployment, or -1. */
int ax_access_model_parameter(const char *pattern);
