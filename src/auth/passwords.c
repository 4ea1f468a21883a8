#include "auth/passwords.h"

#include "auth/access_fact.h"
#include "auth/directory_state.h"
#include "base/alloc.h"
#include "codec/text.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/mutex.h"

enum { ROWS = 256, PLACES = 4 };

#define REMEMBERED_NS INT64_C(300'000'000'000)
#define LATELY_NS     INT64_C(43'200'000'000'000)

/* Of a password that nobody has: what verifying costs when there is none to verify against. */
static const char nobodys[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct entry {
    ax_digest what;   /* keyed hash of user and password */
    int64_t until_ns; /* monotonic; some hours later it is forgotten altogether */
};

struct ax_passwords {
    struct ax_directory *directory;
    uint8_t *key;         /* in locked memory */
    struct ax_mutex slow; /* held while Argon2id runs: one at a time */
    struct ax_mutex mutex;
    uint64_t generation; /* guarded by mutex, as is the table */
    struct entry entries[ROWS][PLACES];
};

ax_status
ax_passwords_open(struct ax_ctx *ctx, struct ax_directory *directory,
                  struct ax_passwords **out_passwords)
{
    ax_auto(ax_passwords_close) struct ax_passwords *passwords = ax_alloc(sizeof *passwords, 1);
    if (!passwords)
        return ax_fail(ctx, AX_LIMIT, "no memory for passwords");
    ax_mutex_init(&passwords->slow);
    ax_mutex_init(&passwords->mutex);
    passwords->directory = directory;
    passwords->key = ax_crypto_secret_new(AX_KEY_BYTES);
    if (!passwords->key)
        return ax_fail(ctx, AX_LIMIT, "no locked memory for a key");
    ax_random_bytes(passwords->key, AX_KEY_BYTES);
    *out_passwords = ax_take(passwords);
    return AX_OK;
}

void
ax_passwords_close(struct ax_passwords *passwords)
{
    if (!passwords)
        return;
    ax_crypto_secret_free(passwords->key);
    ax_mutex_done(&passwords->mutex);
    ax_mutex_done(&passwords->slow);
    ax_free(passwords);
}

/* ---- what was verified ---- */

static ax_digest
hash(const struct ax_passwords *passwords, ax_str user, ax_str password)
{
    const ax_str key = {(const char *)passwords->key, AX_KEY_BYTES};
    ax_digest parts[2] = {ax_sha256(user), ax_hmac_sha256(key, password)};
    return ax_hmac_sha256(key, (ax_str){(const char *)parts, sizeof parts});
}

static struct entry *
row_of(struct ax_passwords *passwords, ax_digest what)
{
    uint64_t place;
    memcpy(&place, what.bytes, sizeof place);
    return passwords->entries[place % ROWS];
}

bool
ax_passwords_recall(struct ax_passwords *passwords, ax_str user, ax_str password, bool *out_lately)
{
    bool found = false, lately = false;
    ax_digest what = hash(passwords, user, password);
    const struct entry *row = row_of(passwords, what);
    int64_t now_ns = ax_clock_monotonic_ns();
    ax_mutex_lock(&passwords->mutex);
    for (size_t i = 0; i < PLACES; i++)
        if (row[i].until_ns && ax_digest_eq(row[i].what, what)) {
            found = row[i].until_ns > now_ns;
            lately = row[i].until_ns + LATELY_NS > now_ns;
        }
    ax_mutex_unlock(&passwords->mutex);
    *out_lately = lately;
    return found;
}

/* Unless something has changed since that generation: it may have been this password. */
static void
remember(struct ax_passwords *passwords, ax_digest what, uint64_t generation)
{
    struct entry *row = row_of(passwords, what), *first = &row[0];
    ax_mutex_lock(&passwords->mutex);
    for (size_t i = 0; i < PLACES; i++)
        if (row[i].until_ns && ax_digest_eq(row[i].what, what))
            first = &row[i];
    bool there = first->until_ns && ax_digest_eq(first->what, what);
    for (size_t i = 1; i < PLACES && !there; i++)
        if (row[i].until_ns < first->until_ns)
            first = &row[i];
    if (generation == passwords->generation)
        *first = (struct entry){what, ax_clock_monotonic_ns() + REMEMBERED_NS};
    ax_mutex_unlock(&passwords->mutex);
}

void
ax_passwords_forget(struct ax_passwords *passwords)
{
    ax_mutex_lock(&passwords->mutex);
    passwords->generation++;
    ax_crypto_wipe(passwords->entries, sizeof passwords->entries);
    ax_mutex_unlock(&passwords->mutex);
}

/* ---- verifying ---- */

/* NULL when the user has none. */
static ax_status
read_hash(struct ax_passwords *passwords, struct ax_ctx *ctx, ax_str user, const char **out_hash)
{
    struct ax_store_rows *rows;
    ax_str text = {};
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_directory_begin(passwords->directory, ctx, AX_STORE_READ, &tx));
    AX_TRY(ax_store_query(tx, ctx,
                          AX_STR("select p.hash from user_passwords p join users u on "
                                 "u.id = p.user_id where p.user_id = $1 and u.disabled = 0"),
                          AX_STORE_PARAMS(ax_store_text(user)), &rows));
    if (ax_store_next(rows))
        text = ax_store_read_text(rows, 0);
    AX_TRY(ax_store_finish(rows));
    *out_hash = text.at ? ax_str_c(ctx->arena, text) : NULL;
    return AX_OK;
}

ax_status
ax_passwords_verify(struct ax_passwords *passwords, struct ax_ctx *ctx, ax_str user,
                    ax_str password)
{
    const char *stored = NULL;
    ax_mutex_lock(&passwords->mutex);
    uint64_t generation = passwords->generation;
    ax_mutex_unlock(&passwords->mutex);
    if (user.len && ax_utf8_ok(user) && !memchr(user.at, '\0', user.len))
        AX_TRY(read_hash(passwords, ctx, user, &stored));
    ax_mutex_lock(&passwords->slow);
    bool same = ax_password_verify(password, stored ? stored : nobodys);
    ax_mutex_unlock(&passwords->slow);
    if (!same || !stored)
        return ax_fail(ctx, AX_UNAUTHENTICATED, "the name or the password is not valid");
    remember(passwords, hash(passwords, user, password), generation);
    return AX_OK;
}

/* ---- setting ---- */

ax_status
ax_passwords_check(struct ax_ctx *ctx, ax_str password)
{
    if (password.len < AX_PASSWORD_BYTES_MIN || password.len > AX_PASSWORD_BYTES_MAX)
        return ax_fail(ctx, AX_INVALID, "a password has %d to %d bytes", (int)AX_PASSWORD_BYTES_MIN,
                       (int)AX_PASSWORD_BYTES_MAX);
    return AX_OK;
}

static ax_status
put(struct ax_store_tx *tx, struct ax_ctx *ctx, ax_str user, ax_str stored)
{
    struct ax_directory_user row;
    AX_TRY(ax_directory_read_user(tx, ctx, user, &row));
    if (row.disabled)
        return ax_fail(ctx, AX_CONFLICT, "%.*s is disabled", AX_FMT(user));
    AX_TRY(ax_store_run(
        tx, ctx,
        AX_STR("insert into user_passwords (user_id, hash, changed_ns) values ($1, $2, $3) "
               "on conflict (user_id) do update set hash = excluded.hash, "
               "changed_ns = excluded.changed_ns"),
        AX_STORE_PARAMS(ax_store_text(user), ax_store_text(stored),
                        ax_store_i64(ax_clock_real_ns())),
        NULL));
    const struct ax_access_fact fact = {
        .kind = AX_EVENT_USER, .object = user, .verb = AX_STR("password set")};
    return ax_access_fact_put(tx, ctx, &fact);
}

ax_status
ax_passwords_set(struct ax_passwords *passwords, struct ax_ctx *ctx, ax_str user, ax_str password)
{
    ax_str stored;
    ax_auto(ax_store_rollback) struct ax_store_tx *tx = NULL;
    AX_TRY(ax_passwords_check(ctx, password));
    ax_mutex_lock(&passwords->slow);
    ax_status status = ax_password_hash(ctx, password, &stored);
    ax_mutex_unlock(&passwords->slow);
    AX_TRY(status);
    AX_TRY(ax_directory_begin(passwords->directory, ctx, AX_STORE_WRITE, &tx));
    AX_TRY(put(tx, ctx, user, stored));
    AX_TRY(ax_store_commit(ax_take(tx), ctx));
    ax_passwords_forget(passwords);
    return AX_OK;
}
