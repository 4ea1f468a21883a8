#include "server/backup.h"

#include "server_case.h"

/* What is read back whole, the database among it, needs more than a test's usual arena. */
static void
with_room(void (*body)(struct ax_ctx *ctx))
{
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(64 << 20);
    struct ax_ctx ctx = ax_ctx_of(arena);
    body(&ctx);
}

static ax_status
back_up(struct ax_services *services, struct ax_ctx *ctx, ax_str folder)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    return ax_backup(services, ctx, folder, &json);
}

static ax_status
restore(struct ax_ctx *ctx, const struct ax_restore *what)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
    struct ax_json_writer json = ax_json_writer_of(&text);
    return ax_restore(ctx, what, &json);
}

static ax_str
inside(struct ax_ctx *ctx, const struct server_case *made, const char *name)
{
    ax_str path = ax_str_printf(ctx->arena, "%s/%s", made->folder, name);
    CHECK(path.at != NULL);
    return path;
}

/* A directory with a few changes, its backup at folder/copy, its checkpoint at folder/checkpoint.
 */
static void
make_backup(struct ax_ctx *ctx, struct server_case *made)
{
    struct ax_services services;
    ax_digest digest;
    const struct ax_json *note = NULL;
    ax_str bytes = AX_STR(""), checkpoint = AX_STR("");
    server_case_make(ctx, made);
    CHECK_EQ(server_case_init(ctx, made), AX_OK);
    CHECK_EQ(server_case_open(ctx, made, &services), AX_OK);
    CHECK_EQ(ax_blob_put(services.blob, ctx, AX_STR("a blob"), &digest), AX_OK);
    CHECK_EQ(ax_artifacts_put(services.artifacts, ctx, AX_STR("1/r/a.txt"), AX_STR("upload")),
             AX_OK);
    CHECK_EQ(back_up(&services, ctx, inside(ctx, made, "copy")), AX_OK);
    CHECK_EQ(back_up(&services, ctx, inside(ctx, made, "copy")), AX_CONFLICT);
    CHECK(strstr(ctx->error, "/copy exists already") != NULL);
    CHECK_EQ(back_up(&services, ctx, AX_STR("copy")), AX_INVALID);
    CHECK(strstr(ctx->error, "`folder` must be an absolute path, not \"copy\"") != NULL);
    ax_services_close(&services);
    CHECK_EQ(ax_file_read_all(ctx, inside(ctx, made, "copy/backup.json"), 1 << 20, &bytes), AX_OK);
    CHECK_EQ(ax_json_parse(ctx, bytes, NULL, &note), AX_OK);
    REQUIRE(note);
    CHECK_EQ(ax_json_need_text(ctx, note, "checkpoint", &checkpoint), AX_OK);
    CHECK_EQ(ax_file_write_atomic(ctx, inside(ctx, made, "checkpoint"), checkpoint), AX_OK);
}

static struct ax_restore
restore_of(struct ax_ctx *ctx, const struct server_case *made)
{
    return (struct ax_restore){.backup = inside(ctx, made, "copy"),
                               .root = inside(ctx, made, "again"),
                               .keys = made->keys,
                               .checkpoint = inside(ctx, made, "checkpoint")};
}

static void
round_trip(struct ax_ctx *ctx)
{
    struct server_case made, again;
    struct ax_services services;
    ax_str bytes = AX_STR("");
    make_backup(ctx, &made);
    struct ax_restore what = restore_of(ctx, &made);
    CHECK_EQ(restore(ctx, &what), AX_OK);
    CHECK_EQ(restore(ctx, &what), AX_CONFLICT);
    CHECK(strstr(ctx->error, "/again exists already") != NULL);
    again = made;
    again.root = what.root;
    CHECK_EQ(server_case_open(ctx, &again, &services), AX_OK);
    CHECK_EQ(ax_blob_get(services.blob, ctx, ax_sha256(AX_STR("a blob")), 100, &bytes), AX_OK);
    CHECK_STR(bytes, "a blob");
    ax_services_close(&services);
    CHECK_EQ(ax_file_read_all(ctx, inside(ctx, &made, "again/artifacts/1/r/a.txt"), 99, &bytes),
             AX_OK);
    CHECK_STR(bytes, "upload");
    CHECK(!ax_file_exists(inside(ctx, &made, "data/artifacts/.blobs/pins")));
    CHECK(!ax_file_exists(inside(ctx, &made, "copy/ledger.key"))); /* keys are in no backup */
    CHECK(!ax_file_exists(inside(ctx, &made, "copy/vault")));
    server_case_done(ctx, &made);
}

TEST(r95_a_backup_comes_back_proved_against_a_checkpoint)
{
    with_room(round_trip);
}

/* A file of the copy: cut to half, or one byte in its middle flipped; put back as it was after. */
static void
damage(struct ax_ctx *ctx, const struct server_case *made, ax_str path, bool cut)
{
    ax_str bytes = AX_STR("");
    struct ax_restore what = restore_of(ctx, made);
    CHECK_EQ(ax_file_read_all(ctx, path, 16 << 20, &bytes), AX_OK);
    REQUIRE(bytes.len > 0);
    char *changed = ax_arena_alloc(ctx->arena, bytes.len, 1);
    REQUIRE(changed);
    memcpy(changed, bytes.at, bytes.len);
    changed[bytes.len / 2] ^= 1;
    ax_str bad = {changed, cut ? bytes.len / 2 : bytes.len};
    CHECK_EQ(ax_file_write_atomic(ctx, path, bad), AX_OK);
    if (restore(ctx, &what) == AX_OK)
        ax_test_failed(__FILE__, __LINE__, "%.*s %s and restored", AX_FMT(path),
                       cut ? "cut" : "flipped");
    CHECK(!ax_file_exists(what.root));
    ax_ignore(ax_file_remove_tree(ctx, what.root), "checked above");
    CHECK_EQ(ax_file_write_atomic(ctx, path, bytes), AX_OK);
}

static void
damaged(struct ax_ctx *ctx)
{
    struct server_case made;
    char hex[AX_DIGEST_HEX_BYTES + 1];
    make_backup(ctx, &made);
    ax_digest_hex(ax_sha256(AX_STR("a blob")), hex);
    ax_str blob = ax_str_printf(ctx->arena, "%s/copy/blobs/%.2s/%s", made.folder, hex, hex + 2);
    damage(ctx, &made, blob, true);
    damage(ctx, &made, blob, false);
    ax_digest_hex(ax_sha256(AX_STR("upload")), hex);
    blob = ax_str_printf(ctx->arena, "%s/copy/artifacts/%.2s/%s", made.folder, hex, hex + 2);
    damage(ctx, &made, blob, false);
    ax_str away = ax_str_printf(ctx->arena, "%.*s-away", AX_FMT(blob));
    struct ax_restore lacking = restore_of(ctx, &made);
    CHECK_EQ(ax_file_rename(ctx, blob, away), AX_OK);
    CHECK_EQ(restore(ctx, &lacking), AX_CORRUPT);
    CHECK(strstr(ctx->error, "artifact 1/r/a.txt: ") != NULL);
    CHECK_EQ(ax_file_rename(ctx, away, blob), AX_OK);
    damage(ctx, &made, inside(ctx, &made, "copy/store.db"), true);
    struct ax_restore what = restore_of(ctx, &made);
    CHECK_EQ(ax_file_remove(ctx, inside(ctx, &made, "copy/store.db")), AX_OK);
    CHECK(restore(ctx, &what) != AX_OK); /* an empty database in its place would be worse */
    CHECK(!ax_file_exists(what.root));
    server_case_done(ctx, &made);
}

TEST(r95_a_damaged_backup_is_refused_and_nothing_is_left)
{
    with_room(damaged);
}
