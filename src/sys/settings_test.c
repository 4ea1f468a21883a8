#include "sys/settings.h"

#include "base/number.h"
#include "harness.h"

struct sample {
    int64_t rows_max, body_bytes_max, wait_ms;
    bool strict;
    ax_str realm;
    double share;
};

#define FIELD(name) offsetof(struct sample, name)

static const struct ax_setting rows[] = {
    {"rows_max", "rows in one call", AX_SETTING_COUNT, FIELD(rows_max), 64, 1, 100'000, NULL},
    {"body_bytes_max", "largest body", AX_SETTING_BYTES, FIELD(body_bytes_max), 1 << 20, 1024,
     1099511627776.0, NULL},
    {"wait_ms", "longest wait", AX_SETTING_DURATION_MS, FIELD(wait_ms), 2'500, 0, 3'600'000, NULL},
    {"strict", "refuse what is unknown", AX_SETTING_SWITCH, FIELD(strict), 1, 0, 1, NULL},
    {"realm", "shown to clients", AX_SETTING_TEXT, FIELD(realm), 0, 0, 0, "axiom"},
    {"share", "part of the traffic", AX_SETTING_NUMBER, FIELD(share), 0.5, 0, 1, NULL},
};

static const struct ax_settings sample_settings = {"sample", rows, AX_COUNT_OF(rows)};

TEST(settings_begin_with_their_defaults_and_print_them)
{
    struct sample sample = {};
    ax_settings_defaults(&sample_settings, &sample);
    CHECK_EQ(sample.rows_max, 64);
    CHECK_EQ(sample.body_bytes_max, 1 << 20);
    CHECK_EQ(sample.wait_ms, 2'500);
    CHECK(sample.strict);
    CHECK_STR(sample.realm, "axiom");
    CHECK(sample.share == 0.5);
    ax_writer_auto struct ax_writer out = ax_writer_of(4096);
    ax_settings_print(&sample_settings, &sample, &out);
    CHECK_STR(ax_writer_str(&out), "sample.rows_max: 64\n"
                                   "sample.body_bytes_max: 1MiB\n"
                                   "sample.wait_ms: 2500ms\n"
                                   "sample.strict: true\n"
                                   "sample.realm: axiom\n"
                                   "sample.share: 0.5\n");
    ax_writer_clear(&out);
    ax_settings_document(&sample_settings, &out);
    CHECK_STR(ax_writer_str(&out),
              "| name | meaning | default | bounds |\n|---|---|---|---|\n"
              "| `sample.rows_max` | rows in one call | 64 | 1 to 100000 |\n"
              "| `sample.body_bytes_max` | largest body | 1MiB | 1KiB to 1TiB |\n"
              "| `sample.wait_ms` | longest wait | 2500ms | 0 to 1h |\n"
              "| `sample.strict` | refuse what is unknown | true | |\n"
              "| `sample.realm` | shown to clients | `axiom` | |\n"
              "| `sample.share` | part of the traffic | 0.5 | 0 to 1 |\n");
}

/* words: what the refusal says; NULL when the value is taken and `shown` is printed for it. */
static const struct {
    const char *name, *value, *shown, *words;
} values[] = {
    {"rows_max", "1", "1", NULL},
    {"rows_max", "100000", "100000", NULL},
    {"rows_max", "0", NULL, "sample.rows_max is 0; it may be 1 to 100000"},
    {"rows_max", "100001", NULL, "it may be 1 to 100000"},
    {"rows_max", "-5", NULL, "it may be 1 to 100000"},
    {"rows_max", "1.5", NULL, "sample.rows_max must be a whole number, not \"1.5\""},
    {"rows_max", "1KiB", NULL, "must be a whole number"},
    {"rows_max", "", NULL, "must be a whole number, not \"\""},
    {"rows_max", "NaN", NULL, "must be a whole number"},
    {"rows_max", "inf", NULL, "must be a whole number"},
    {"body_bytes_max", "64KiB", "64KiB", NULL},
    {"body_bytes_max", "1.5MiB", "1536KiB", NULL},
    {"body_bytes_max", "2GiB", "2GiB", NULL},
    {"body_bytes_max", "1025", "1025", NULL},
    {"body_bytes_max", "1kB", NULL, "must be a size such as 64KiB"},
    {"body_bytes_max", "KiB", NULL, "must be a size such as 64KiB"},
    {"body_bytes_max", "0.1KiB", NULL, "must be a size such as 64KiB"},
    {"body_bytes_max", "1", NULL, "it may be 1KiB to 1TiB"},
    {"body_bytes_max", "9e300TiB", NULL, "it may be 1KiB to"},
    {"wait_ms", "250ms", "250ms", NULL},
    {"wait_ms", "10s", "10s", NULL},
    {"wait_ms", "5m", "5m", NULL},
    {"wait_ms", "1h", "1h", NULL},
    {"wait_ms", "0.5s", "500ms", NULL},
    {"wait_ms", "0", "0", NULL},
    {"wait_ms", "90s", "90s", NULL},
    {"wait_ms", "61m", NULL, "sample.wait_ms is 61m; it may be 0 to 1h"},
    {"wait_ms", "5 minutes", NULL, "must be a time such as 250ms, 10s or 5m"},
    {"wait_ms", "0.5ms", NULL, "must be a time such as 250ms"},
    {"strict", "false", "false", NULL},
    {"strict", "true", "true", NULL},
    {"strict", "yes", NULL, "sample.strict must be true or false, not \"yes\""},
    {"strict", "1", NULL, "must be true or false"},
    {"realm", "", "", NULL},
    {"realm", "two words: one # sign", "\"two words: one # sign\"", NULL},
    {"realm", " blank ", "\" blank \"", NULL},
    {"realm", "a \"b\"", NULL, "sample.realm must be text in UTF-8 without quotes"},
    {"realm", "a\nb", NULL, "without quotes and control characters"},
    {"realm", "\xff", NULL, "must be text in UTF-8"},
    {"share", "0.25", "0.25", NULL},
    {"share", "1e-3", "0.001", NULL},
    {"share", "1.01", NULL, "it may be 0 to 1"},
    {"share", "half", NULL, "sample.share must be a number, not \"half\""},
};

static void
setting(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(values); i++) {
        struct sample sample = {}, before;
        ax_settings_defaults(&sample_settings, &sample);
        before = sample;
        ax_status status = ax_settings_set(ctx, &sample_settings, &sample,
                                           ax_str_of(values[i].name), ax_str_of(values[i].value));
        CHECK_EQ(status, values[i].words ? AX_INVALID : AX_OK);
        ax_writer_auto struct ax_writer out = ax_writer_of(4096);
        if (values[i].words) {
            CHECK(memcmp(&sample, &before, sizeof sample) == 0);
            if (!strstr(ctx->error, values[i].words))
                ax_test_failed(__FILE__, __LINE__, "%s: %s", values[i].value, ctx->error);
            continue;
        }
        ax_settings_print(&sample_settings, &sample, &out);
        ax_str line = ax_str_printf(ctx->arena, "sample.%s: %s\n", values[i].name, values[i].shown);
        if (ax_str_find(ax_writer_str(&out), line) == SIZE_MAX)
            ax_test_failed(__FILE__, __LINE__, "%.*s is not in %.*s", AX_FMT(line),
                           AX_FMT(ax_writer_str(&out)));
    }
}

TEST(settings_are_set_within_their_bounds_or_refused_with_them)
{
    ax_test_with_ctx(setting);
}

static void
unknown_names(struct ax_ctx *ctx)
{
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"row_max", "no setting sample.row_max; did you mean sample.rows_max?"},
        {"rows_maxx", "did you mean sample.rows_max?"},
        {"srtict", "did you mean sample.strict?"},
        {"wait_s", "did you mean sample.wait_ms?"},
        {"nothing_like_it", "no setting sample.nothing_like_it"},
        {"a_name_that_is_longer_than_any_setting_could_ever_be_and_is_therefore_not_compared",
         "no setting sample.a_name"},
    };
    for (size_t i = 0; i < AX_COUNT_OF(cases); i++) {
        struct sample sample = {};
        CHECK_EQ(
            ax_settings_set(ctx, &sample_settings, &sample, ax_str_of(cases[i].name), AX_STR("1")),
            AX_NOT_FOUND);
        if (!strstr(ctx->error, cases[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
        CHECK_EQ(strstr(cases[i].words, "did") != NULL, strstr(ctx->error, "did") != NULL);
    }
}

TEST(settings_name_the_one_that_was_meant)
{
    ax_test_with_ctx(unknown_names);
}

/* What was found, one line each: "line section name=value". */
static ax_status
note(void *arg, struct ax_ctx *ctx, ax_str section, ax_str name, ax_str value, int line)
{
    if (ax_str_eq(name, AX_STR("refused")))
        return ax_fail(ctx, AX_DENIED, "not this one");
    ax_writer_print(arg, "%d %.*s %.*s=%.*s\n", line, AX_FMT(section), AX_FMT(name), AX_FMT(value));
    return AX_OK;
}

static void
files(struct ax_ctx *ctx)
{
    static const struct {
        const char *text, *found;
    } good[] = {
        {"", ""},
        {"\n\n# only a comment\n   \n", ""},
        {"net.port: 8080\n", "1 net port=8080\n"},
        {"net.port: 8080", "1 net port=8080\n"},
        {"net:\n  port: 8080\n  host: ::1\n", "2 net port=8080\n3 net host=::1\n"},
        {"net:   # section\n  port: 8080   # the usual\n", "2 net port=8080\n"},
        {"net:\r\n  port: 1\r\n", "2 net port=1\n"},
        {"\xef\xbb\xbfnet.port: 1\n", "1 net port=1\n"},
        {"a:\n  x: 1\nb:\n  x: 2\nc.x: 3\n", "2 a x=1\n4 b x=2\n5 c x=3\n"},
        {"a.text: \"two # words\"\n", "1 a text=two # words\n"},
        {"a.text: x#y\n", "1 a text=x#y\n"},
        {"a.text:\n", "1 a text=\n"},
        {"a.text: \"\"\n", "1 a text=\n"},
        {"a.text : spaced\n", "1 a text=spaced\n"},
        {"a.url: http://h:1/p\n", "1 a url=http://h:1/p\n"},
        {"a.b.c: 1\n", "1 a b.c=1\n"},
    };
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"port: 8080\n", "line 1: \"port\" stands in no section: write section.name"},
        {"\n\nno colon\n", "line 3: `name: value` is expected, not \"no colon\""},
        {"  port: 1\n", "line 1: indented, but under no section"},
        {"net:\n\tport: 1\n", "line 2: indent with spaces, not tabs"},
        {"net.host: \xff\n", "line 1: it is not text in UTF-8"},
    };
    ax_writer_auto struct ax_writer found = ax_writer_of(4096);
    for (size_t i = 0; i < AX_COUNT_OF(good); i++) {
        ax_writer_clear(&found);
        CHECK_EQ(ax_settings_read(ctx, ax_str_of(good[i].text), note, &found), AX_OK);
        CHECK(ax_str_eq(ax_writer_str(&found), ax_str_of(good[i].found)));
    }
    for (size_t i = 0; i < AX_COUNT_OF(bad); i++) {
        CHECK_EQ(ax_settings_read(ctx, ax_str_of(bad[i].text), note, &found), AX_INVALID);
        if (!strstr(ctx->error, bad[i].words))
            ax_test_failed(__FILE__, __LINE__, "%s", ctx->error);
    }
    CHECK_EQ(ax_settings_read(ctx, AX_STR("a.b: x\0y"), note, &found), AX_INVALID);
    CHECK_EQ(ax_settings_read(ctx, AX_STR("a.refused: 1"), note, &found), AX_DENIED);
}

TEST(settings_files_are_read_line_by_line)
{
    ax_test_with_ctx(files);
}

static ax_status
into_sample(void *arg, struct ax_ctx *ctx, ax_str section, ax_str name, ax_str value, int line)
{
    CHECK_STR(section, "sample");
    CHECK(line > 0);
    return ax_settings_set(ctx, &sample_settings, arg, name, value);
}

/* What is printed is a file that reads back as the same values. */
static ax_status
round_trip(struct ax_ctx *ctx)
{
    struct sample sample = {.rows_max = 99'999,
                            .body_bytes_max = 3 << 20,
                            .wait_ms = 1'800'000,
                            .realm = AX_STR(" a \xc3\xa9 # b"),
                            .share = 0.1};
    struct sample again = {};
    ax_writer_auto struct ax_writer out = ax_writer_of(4096);
    ax_settings_print(&sample_settings, &sample, &out);
    if (out.status != AX_OK)
        return ax_fail(ctx, out.status, "no memory to print");
    AX_TRY(ax_settings_read(ctx, ax_writer_str(&out), into_sample, &again));
    CHECK_EQ(again.rows_max, sample.rows_max);
    CHECK_EQ(again.body_bytes_max, sample.body_bytes_max);
    CHECK_EQ(again.wait_ms, sample.wait_ms);
    CHECK_EQ(again.strict, sample.strict);
    CHECK(ax_str_eq(again.realm, sample.realm));
    CHECK(again.share == sample.share);
    return AX_OK;
}

TEST(settings_read_back_what_they_print_or_say_why_not)
{
    FAULT_SWEEP(round_trip);
}
