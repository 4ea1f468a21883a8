#include "server/server_settings.h"

#include "server_case.h"

static void
files(struct ax_ctx *ctx)
{
    static const struct {
        const char *text;
        ax_status want;
        const char *words;
    } cases[] = {
        {"server:\n  worker_count: 7\n", AX_OK, ""},
        {"server:\n  worker_count: 7\n  worker_cuont: 8\n", AX_INVALID, "line 3"},
        {"server:\n  worker_cuont: 8\n", AX_INVALID, "worker_count"},
        {"server:\n  worker_count: many\n", AX_INVALID, "line 2"},
        {"server:\n  worker_count: 0\n", AX_INVALID, "line 2"},
        {"# one\n\nserve:\n  origin: a\n", AX_INVALID, "no settings section \"serve\""},
        {"server:\n  worker_count: [1\n", AX_INVALID, "line"},
        {"server:\n\tworker_count: 1\n", AX_INVALID, "line 2"},
    };
    struct server_case made;
    server_case_make(ctx, &made);
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_server_settings settings;
        ax_server_settings_defaults(&settings);
        CHECK_EQ(settings.general.worker_count, 16);
        CHECK_EQ(ax_file_write_atomic(ctx, made.root, ax_str_of(cases[i].text)), AX_OK);
        ctx->error[0] = '\0';
        CHECK_EQ(ax_server_settings_read(ctx, &settings, made.root), cases[i].want);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%zu: \"%s\"", i, ctx->error);
        if (cases[i].want == AX_OK)
            CHECK_EQ(settings.general.worker_count, 7);
        else
            CHECK(strstr(ctx->error, made.folder) != NULL); /* names the file */
    }
    struct ax_server_settings settings;
    CHECK_EQ(ax_server_settings_read(ctx, &settings, made.keys), AX_NOT_FOUND);
    server_case_done(ctx, &made);
}

TEST(r94_a_settings_file_is_refused_with_the_line)
{
    ax_test_with_ctx(files);
}

static void
flags(struct ax_ctx *ctx)
{
    struct ax_server_settings settings;
    ax_server_settings_defaults(&settings);
    const struct {
        const char *name, *value;
        ax_status want;
        const char *words;
    } cases[] = {
        {"server.drain_ms", "5s", AX_OK, ""},
        {"drain_ms", "5s", AX_INVALID, "a setting is section.name, not \"drain_ms\""},
        {"sever.drain_ms", "5s", AX_NOT_FOUND, "no settings section \"sever\""},
        {"server.drain_m", "5s", AX_NOT_FOUND, "drain_ms"},
        {"server.drain_ms", "soon", AX_INVALID, "drain_ms"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        ctx->error[0] = '\0';
        CHECK_EQ(ax_server_settings_set(ctx, &settings, ax_str_of(cases[i].name),
                                        ax_str_of(cases[i].value)),
                 cases[i].want);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%zu: \"%s\"", i, ctx->error);
    }
    CHECK_EQ(settings.general.drain_ms, 5000);
}

/* What a person must allow is off, and reaches the engine when it is on. */
static void
engine(struct ax_ctx *ctx)
{
    struct ax_server_settings settings;
    ax_server_settings_defaults(&settings);
    CHECK(!ax_server_settings_engine(&settings).leaf_masks);
    CHECK(!ax_server_settings_engine(&settings).forest_code);
    CHECK_EQ(ax_server_settings_set(ctx, &settings, AX_STR("engine.leaf_masks"), AX_STR("true")),
             AX_OK);
    CHECK(ax_server_settings_engine(&settings).leaf_masks);
    CHECK_EQ(ax_server_settings_set(ctx, &settings, AX_STR("engine.machine_code"), AX_STR("true")),
             AX_OK);
    CHECK(ax_server_settings_engine(&settings).forest_code);
}

TEST(settings_of_the_engine_are_off_until_somebody_allows_them)
{
    ax_test_with_ctx(engine);
}

TEST(r94_a_flag_is_a_section_and_a_name)
{
    ax_test_with_ctx(flags);
}

/* ---- while it runs ---- */

static void
changes(struct ax_ctx *ctx)
{
    static const struct {
        const char *name, *value;
        ax_status want;
        const char *words; /* of the failure, or the list of what changed */
    } cases[] = {
        {"server.drain_ms", "5s", AX_OK, "[\"server.drain_ms\"]"},
        {"server.log_level", "warn", AX_OK, "[\"server.log_level\"]"},
        {"limits.model_rate", "100", AX_OK, "[\"limits.model_rate\"]"},
        {"limits.model_rate", "0", AX_OK, "[]"},
        {"net.idle_ms", "5s", AX_INVALID, "net.idle_ms cannot change while the server runs"},
        {"net.tls_allow_1_2", "true", AX_INVALID, "net.tls_allow_1_2 cannot change"},
        {"store.url", "postgresql://a/b", AX_INVALID, "store.url cannot change"},
        {"cors.origins", "https://a.example", AX_INVALID, "cors.origins cannot change"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct ax_server_settings now, wanted;
        ax_writer_auto struct ax_writer names = ax_writer_of(4'096);
        struct ax_json_writer json = ax_json_writer_of(&names);
        ax_server_settings_defaults(&now);
        ax_server_settings_defaults(&wanted);
        CHECK_EQ(ax_server_settings_set(ctx, &wanted, ax_str_of(cases[i].name),
                                        ax_str_of(cases[i].value)),
                 AX_OK);
        CHECK_EQ(ax_server_settings_check_change(ctx, &now, &wanted), cases[i].want);
        if (cases[i].want != AX_OK) {
            CHECK(ax_test_said(ctx, cases[i].words));
            continue;
        }
        ax_json_begin_array(&json);
        ax_server_settings_change(&now, &wanted, &json);
        ax_json_end_array(&json);
        CHECK_STR(ax_writer_str(&names), cases[i].words);
        CHECK_EQ(ax_server_settings_check_change(ctx, &wanted, &now), AX_OK);
    }
}

TEST(some_settings_change_while_it_runs_and_others_are_named)
{
    ax_test_with_ctx(changes);
}

TEST(the_document_of_settings_names_every_section)
{
    ax_writer_auto struct ax_writer out = ax_writer_of(1 << 20);
    ax_server_settings_document(&out);
    static const char *const sections[] = {"## server\n", "## net\n", "## ledger\n", "## store\n"};
    for (size_t i = 0; i < AX_COUNT_OF(sections); i++)
        CHECK(ax_str_find(ax_writer_str(&out), ax_str_of(sections[i])) != SIZE_MAX);
}
