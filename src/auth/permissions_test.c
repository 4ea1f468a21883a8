#include "auth/permissions.h"

#include "base/map.h"
#include "directory_case.h"

struct permissions_case {
    struct directory_case base;
    struct ax_permissions *permissions;
};

static void
open_case(struct ax_ctx *ctx, struct permissions_case *made, const char *otherwise)
{
    directory_case_make(ctx, &made->base);
    CHECK_EQ(ax_directory_open(ctx, made->base.store, ax_str_of(made->base.cache),
                               &made->base.directory),
             AX_OK);
    directory_case_user(ctx, &made->base, "{\"id\":\"dana\"}", NULL);
    CHECK_EQ(
        ax_permissions_open(ctx, made->base.directory, ax_str_of(otherwise), &made->permissions),
        AX_OK);
}

static void
close_case(struct ax_ctx *ctx, struct permissions_case *made)
{
    ax_permissions_close(made->permissions);
    directory_case_done(ctx, &made->base);
}

static enum ax_grant_level
level(struct ax_ctx *ctx, struct permissions_case *made, const struct ax_permissions_key *key,
      bool has_role)
{
    enum ax_grant_level level = AX_GRANT_COUNT;
    CHECK_EQ(ax_permissions_level(made->permissions, ctx, key, has_role, &level), AX_OK);
    return level;
}

static void
life(struct ax_ctx *ctx)
{
    struct permissions_case made = {};
    const struct ax_permissions_key one = {"experiment", AX_STR("1"), AX_STR("dana")};
    const struct ax_permissions_key nobodys = {"experiment", AX_STR("1"), AX_STR("nobody")};
    const struct ax_permissions_key nothing = {"experiment", AX_STR(""), AX_STR("dana")};
    enum ax_grant_level found;
    open_case(ctx, &made, "READ");
    CHECK_EQ(level(ctx, &made, &one, true), AX_GRANT_READ);
    CHECK_EQ(level(ctx, &made, &one, false), AX_GRANT_NONE);
    struct ax_permissions *permissions = made.permissions;
    CHECK_EQ(ax_permissions_set(permissions, ctx, &one, AX_GRANT_EDIT, AX_PERMISSIONS_UPDATE),
             AX_NOT_FOUND);
    CHECK_EQ(ax_permissions_set(permissions, ctx, &nobodys, AX_GRANT_EDIT, AX_PERMISSIONS_CREATE),
             AX_NOT_FOUND);
    CHECK_EQ(ax_permissions_set(permissions, ctx, &nothing, AX_GRANT_EDIT, AX_PERMISSIONS_CREATE),
             AX_INVALID);
    CHECK_EQ(ax_permissions_set(permissions, ctx, &one, AX_GRANT_EDIT, AX_PERMISSIONS_CREATE),
             AX_OK);
    CHECK_EQ(ax_permissions_set(permissions, ctx, &one, AX_GRANT_READ, AX_PERMISSIONS_CREATE),
             AX_CONFLICT);
    CHECK_EQ(level(ctx, &made, &one, false), AX_GRANT_EDIT);
    CHECK_EQ(ax_permissions_set(permissions, ctx, &one, AX_GRANT_NONE, AX_PERMISSIONS_UPDATE),
             AX_OK);
    CHECK_EQ(level(ctx, &made, &one, true), AX_GRANT_NONE); /* below the default */
    CHECK_EQ(ax_permissions_delete(permissions, ctx, &one), AX_OK);
    CHECK_EQ(ax_permissions_delete(permissions, ctx, &one), AX_NOT_FOUND);
    CHECK_EQ(ax_permissions_find(permissions, ctx, &one, &found), AX_NOT_FOUND);
    CHECK_EQ(directory_case_count_facts(ctx, &made.base, "permi"), 3);
    close_case(ctx, &made);
}

TEST(r86_what_is_permitted_is_changed_with_a_fact_and_stands_above_the_default)
{
    ax_test_with_ctx(life);
}

static void
lists(struct ax_ctx *ctx)
{
    struct permissions_case made = {};
    struct ax_permissions_view view;
    struct ax_permissions_key key = {"registered_model", AX_STR("a"), AX_STR("dana")};
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 16);
    struct ax_json_writer json = ax_json_writer_of(&out);
    open_case(ctx, &made, "NO_PERMISSIONS");
    struct ax_permissions *permissions = made.permissions;
    CHECK_EQ(ax_permissions_set(permissions, ctx, &key, AX_GRANT_READ, AX_PERMISSIONS_PUT), AX_OK);
    CHECK_EQ(ax_permissions_set(permissions, ctx, &key, AX_GRANT_USE, AX_PERMISSIONS_PUT), AX_OK);
    key.resource = AX_STR("b");
    CHECK_EQ(ax_permissions_set(permissions, ctx, &key, AX_GRANT_READ, AX_PERMISSIONS_PUT), AX_OK);
    CHECK_EQ(ax_permissions_move(permissions, ctx, key.kind, AX_STR("a"), AX_STR("b")), AX_OK);
    CHECK_EQ(ax_permissions_view(permissions, ctx, key.kind, key.user, true, &view), AX_OK);
    CHECK_EQ(ax_map_count(view.levels), 1);
    CHECK_EQ(ax_permissions_seen(&view, AX_STR("b")), AX_GRANT_USE);
    CHECK_EQ(ax_permissions_seen(&view, AX_STR("a")), AX_GRANT_NONE);
    ax_json_begin_array(&json);
    CHECK_EQ(ax_permissions_show(permissions, ctx, key.kind, key.user, "name", &json), AX_OK);
    ax_json_end_array(&json);
    CHECK_STR(ax_writer_str(&out),
              "[{\"name\":\"b\",\"user_id\":\"dana\",\"permission\":\"USE\"}]");
    CHECK_EQ(ax_permissions_move(permissions, ctx, key.kind, AX_STR("b"), AX_STR("")), AX_OK);
    CHECK_EQ(ax_permissions_view(permissions, ctx, key.kind, key.user, true, &view), AX_OK);
    CHECK_EQ(ax_map_count(view.levels), 0);
    close_case(ctx, &made);
}

TEST(what_was_permitted_follows_a_name_and_goes_with_the_thing)
{
    ax_test_with_ctx(lists);
}

static void
words(struct ax_ctx *ctx)
{
    struct directory_case base = {};
    struct ax_permissions *permissions = NULL;
    directory_case_make(ctx, &base);
    CHECK_EQ(ax_directory_open(ctx, base.store, ax_str_of(base.cache), &base.directory), AX_OK);
    CHECK_EQ(ax_permissions_open(ctx, base.directory, AX_STR("read"), &permissions), AX_INVALID);
    CHECK(ax_test_said(ctx, "not \"read\""));
    directory_case_done(ctx, &base);
}

TEST(a_default_permission_is_one_of_five_words)
{
    ax_test_with_ctx(words);
}
