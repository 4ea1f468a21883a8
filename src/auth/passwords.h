/*
 * Passwords, for clients that know nothing else: MLflow's sends one with every request.
 *
 * At rest they are Argon2id, which costs 64 MiB and a tenth of a second: one is computed at a time,
 * off the loops. What was verified is remembered for five minutes under a hash with a key that only
 * this process has, and forgotten at once when any password or user changes here; other processes
 * on the same database forget within those minutes. Whoever has a token needs none of this.
 */
#pragma once

#include "auth/directory.h"

struct ax_passwords;

enum { AX_PASSWORD_BYTES_MIN = 8, AX_PASSWORD_BYTES_MAX = 256 };

/* directory: kept. Fails: LIMIT. */
ax_status ax_passwords_open(struct ax_ctx *ctx, struct ax_directory *directory,
                            struct ax_passwords **out_passwords);
void ax_passwords_close(struct ax_passwords *passwords);
AX_DEFINE_AUTO(struct ax_passwords, ax_passwords_close);

/*
 * Whether this was verified a short while ago. On loops.
 * out_lately: within half a day, and nothing has changed since: no proof, but no stranger either.
 */
bool ax_passwords_recall(struct ax_passwords *passwords, ax_str user, ax_str password,
                         bool *out_lately);

/*
 * Verifies it against the store, and remembers it. Slow: never on a loop. A user without a
 * password, and one who is not there, take as long as a wrong one. Fails: UNAUTHENTICATED; LIMIT
 * (no memory for Argon2id); as the store.
 */
ax_status ax_passwords_verify(struct ax_passwords *passwords, struct ax_ctx *ctx, ax_str user,
                              ax_str password);

/*
 * The user's password from now on, with its fact. Slow.
 * Fails: INVALID (too short or long), NOT_FOUND, CONFLICT (user disabled), LIMIT, as the store.
 */
ax_status ax_passwords_set(struct ax_passwords *passwords, struct ax_ctx *ctx, ax_str user,
                           ax_str password);

/* Whether it could be one. Fails: INVALID. */
ax_status ax_passwords_check(struct ax_ctx *ctx, ax_str password);

/* After a user was changed or disabled. */
void ax_passwords_forget(struct ax_passwords *passwords);
