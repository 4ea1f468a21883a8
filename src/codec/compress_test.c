#include "codec/compress.h"

#include "harness.h"

static const enum ax_compress_coding codings[] = {AX_COMPRESS_GZIP, AX_COMPRESS_DEFLATE,
                                                  AX_COMPRESS_ZSTD};

/* Text that compresses well, or hardly at all. */
static void
fill(struct ax_writer *out, size_t len, bool noise)
{
    uint64_t state = 88'172'645'463'325'252;
    while (out->len < len) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ax_writer_char(out, noise ? (char)(state >> 24) : (char)('a' + state % 3));
    }
}

static void
check_round(struct ax_ctx *ctx, enum ax_compress_coding coding, ax_str text, size_t piece_bytes)
{
    ax_writer_auto struct ax_writer small = ax_writer_of(1 << 22), back = ax_writer_of(text.len);
    ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(coding);
    ax_auto(ax_inflater_free) struct ax_inflater *inflater = ax_inflater_new(coding);
    REQUIRE(deflater && inflater);
    CHECK_EQ(ax_deflater_run(deflater, text, &small), AX_OK);
    for (ax_str rest = ax_writer_str(&small); rest.len > 0;) {
        size_t len = piece_bytes < rest.len ? piece_bytes : rest.len;
        CHECK(!ax_inflater_done(inflater));
        CHECK_EQ(ax_inflater_add(inflater, (ax_str){rest.at, len}, &back), AX_OK);
        rest = ax_str_from(rest, len);
    }
    CHECK(ax_inflater_done(inflater));
    CHECK(ax_str_eq(ax_writer_str(&back), text));

    ax_writer_auto struct ax_writer whole = ax_writer_of(text.len);
    CHECK_EQ(ax_compress_inflate(ctx, coding, ax_writer_str(&small), &whole), AX_OK);
    CHECK(ax_str_eq(ax_writer_str(&whole), text));
}

static void
check_rounds(struct ax_ctx *ctx)
{
    static const size_t lens[] = {0, 1, 127, 5'000, 16'384, 16'385, 32'768, 300'000};
    for (size_t i = 0; i < AX_COUNT_OF(lens) * 2; i++) {
        ax_writer_auto struct ax_writer text = ax_writer_of(1 << 20);
        fill(&text, lens[i / 2], i % 2);
        for (size_t j = 0; j < AX_COUNT_OF(codings); j++) {
            check_round(ctx, codings[j], ax_writer_str(&text), SIZE_MAX);
            check_round(ctx, codings[j], ax_writer_str(&text), i % 2 ? 1'000 : 1);
        }
    }
}

TEST(what_is_compressed_comes_back_from_pieces_of_any_size)
{
    ax_test_with_ctx(check_rounds);
}

TEST(a_deflater_serves_text_after_text)
{
    for (size_t j = 0; j < AX_COUNT_OF(codings); j++) {
        ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(codings[j]);
        ax_writer_auto struct ax_writer first = ax_writer_of(100), again = ax_writer_of(100);
        ax_writer_auto struct ax_writer none = ax_writer_of(3);
        CHECK_EQ(ax_deflater_run(deflater, AX_STR("abcabcabc"), &first), AX_OK);
        CHECK_EQ(ax_deflater_run(deflater, AX_STR("abcabcabc"), &none), AX_LIMIT);
        CHECK_EQ(ax_deflater_run(deflater, AX_STR("abcabcabc"), &again), AX_OK);
        CHECK(first.len > 9 && ax_str_eq(ax_writer_str(&first), ax_writer_str(&again)));
    }
}

TEST(what_inflates_to_more_than_the_ceiling_stops_there)
{
    for (size_t j = 0; j < AX_COUNT_OF(codings); j++) {
        ax_writer_auto struct ax_writer zeros = ax_writer_of(1 << 24), bomb = ax_writer_of(1 << 20);
        ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(codings[j]);
        memset(ax_writer_room(&zeros, 10'000'000), 0, 10'000'000);
        CHECK_EQ(ax_deflater_run(deflater, ax_writer_str(&zeros), &bomb), AX_OK);
        CHECK(bomb.len < 60'000);

        ax_writer_auto struct ax_writer exact = ax_writer_of(10'000'000);
        ax_auto(ax_inflater_free) struct ax_inflater *fits = ax_inflater_new(codings[j]);
        CHECK_EQ(ax_inflater_add(fits, ax_writer_str(&bomb), &exact), AX_OK);
        CHECK(ax_inflater_done(fits) && exact.len == 10'000'000);

        static const size_t ceilings[] = {0, 1, 16'384, 100'000, 9'999'999};
        for (size_t i = 0; i < AX_COUNT_OF(ceilings); i++) {
            ax_writer_auto struct ax_writer out = ax_writer_of(ceilings[i]);
            ax_auto(ax_inflater_free) struct ax_inflater *inflater = ax_inflater_new(codings[j]);
            CHECK_EQ(ax_inflater_add(inflater, ax_writer_str(&bomb), &out), AX_LIMIT);
            CHECK_EQ(ax_inflater_add(inflater, AX_STR("x"), &out), AX_LIMIT);
            CHECK(!ax_inflater_done(inflater) && out.len == ceilings[i]);
        }
    }
}

/* Made by other hands: gzip -n, Python's zlib and `zstd --no-check`. */
static const struct {
    enum ax_compress_coding coding;
    ax_str bytes;
    ax_status status;
    const char *text;
} foreign[] = {
    {AX_COMPRESS_GZIP,
     AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"),
     AX_OK, "hello"},
    {AX_COMPRESS_GZIP,
     AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"
            "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0"),
     AX_OK, "hellohello"},
    {AX_COMPRESS_GZIP,
     AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0x"),
     AX_INVALID, ""},
    {AX_COMPRESS_GZIP,
     AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x87\xa6\x10\x36\x05\0\0\0"),
     AX_INVALID, ""},
    {AX_COMPRESS_GZIP, AX_STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9"), AX_INVALID, ""},
    {AX_COMPRESS_GZIP, AX_STR("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\0\x06\x2c\x02\x15"), AX_INVALID,
     ""},
    {AX_COMPRESS_GZIP, AX_STR(""), AX_INVALID, ""},
    {AX_COMPRESS_DEFLATE, AX_STR("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\0\x06\x2c\x02\x15"), AX_OK,
     "hello"},
    {AX_COMPRESS_DEFLATE, AX_STR("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\0\x06\x2c\x02\x15\x78"),
     AX_INVALID, ""},
    {AX_COMPRESS_DEFLATE, AX_STR("\xcb\x48\xcd\xc9\xc9\x07\0"), AX_INVALID, ""},
    {AX_COMPRESS_ZSTD, AX_STR("\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello"), AX_OK, "hello"},
    {AX_COMPRESS_ZSTD,
     AX_STR("\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello"), AX_OK,
     "hellohello"},
    {AX_COMPRESS_ZSTD, AX_STR("\x28\xb5\x2f\xfd\x20\x05\x29\0\0hell"), AX_INVALID, ""},
    {AX_COMPRESS_ZSTD, AX_STR("\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello no"), AX_INVALID, ""},
    /* A window of 16 MiB asked for: exponent 14, mantissa 0. */
    {AX_COMPRESS_ZSTD, AX_STR("\x28\xb5\x2f\xfd\0\x70\x29\0\0hello"), AX_INVALID, ""},
};

static void
check_foreign(struct ax_ctx *ctx)
{
    for (size_t i = 0; i < AX_COUNT_OF(foreign); i++) {
        ax_writer_auto struct ax_writer out = ax_writer_of(100);
        ax_status status = ax_compress_inflate(ctx, foreign[i].coding, foreign[i].bytes, &out);
        if (status != foreign[i].status)
            ax_test_failed(__FILE__, __LINE__, "text %zu: %s, %s", i, ax_status_name(status),
                           ctx->error);
        if (status == AX_OK)
            CHECK_STR(ax_writer_str(&out), foreign[i].text);
    }
}

TEST(texts_of_other_hands_are_read_or_refused)
{
    ax_test_with_ctx(check_foreign);
}

TEST(codings_have_names)
{
    enum ax_compress_coding coding = AX_COMPRESS_IDENTITY;
    CHECK(ax_compress_coding_of(AX_STR("X-GZip"), &coding) && coding == AX_COMPRESS_GZIP);
    CHECK(ax_compress_coding_of(AX_STR("Identity"), &coding) && coding == AX_COMPRESS_IDENTITY);
    CHECK(!ax_compress_coding_of(AX_STR("br"), &coding));
    CHECK(!ax_compress_coding_of(AX_STR(""), &coding));
    for (size_t j = 0; j < AX_COUNT_OF(codings); j++) {
        CHECK(ax_compress_coding_of(ax_compress_name(codings[j]), &coding));
        CHECK_EQ(coding, codings[j]);
    }
}

static ax_status
round_of(struct ax_ctx *ctx)
{
    for (size_t j = 0; j < AX_COUNT_OF(codings); j++) {
        ax_writer_auto struct ax_writer small = ax_writer_of(1 << 10), back = ax_writer_of(100);
        ax_auto(ax_deflater_free) struct ax_deflater *deflater = ax_deflater_new(codings[j]);
        if (!deflater)
            return ax_fail(ctx, AX_LIMIT, "no memory to compress");
        AX_TRY(ax_deflater_run(deflater, AX_STR("abcabcabc"), &small));
        AX_TRY(ax_compress_inflate(ctx, codings[j], ax_writer_str(&small), &back));
        CHECK_STR(ax_writer_str(&back), "abcabcabc");
    }
    return AX_OK;
}

TEST(compress_survives_every_fault)
{
    FAULT_SWEEP(round_of);
}
