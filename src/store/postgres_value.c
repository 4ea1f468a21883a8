#include "base/alloc.h"
#include "store/postgres_parts.h"

/* Types by their number in every PostgreSQL (pg_type.dat). */
enum {
    OF_BOOL = 16,
    OF_BYTEA = 17,
    OF_CHAR = 18,
    OF_NAME = 19,
    OF_INT8 = 20,
    OF_INT2 = 21,
    OF_INT4 = 23,
    OF_TEXT = 25,
    OF_OID = 26,
    OF_FLOAT4 = 700,
    OF_FLOAT8 = 701,
    OF_UNKNOWN = 705,
    OF_BPCHAR = 1042,
    OF_VARCHAR = 1043,
    OF_NUMERIC = 1700,
};

/* ---- to the server ---- */

ax_status
ax_postgres_binding_init(struct ax_ctx *ctx, size_t count, struct ax_postgres_binding *out)
{
    const size_t each =
        sizeof *out->values + sizeof *out->numbers + 2 * sizeof(int) + sizeof *out->types + 1;
    if (count > AX_POSTGRES_PARAMS_MAX)
        return ax_fail(ctx, AX_INTERNAL, "database: %zu parameters, and at most %d are possible",
                       count, AX_POSTGRES_PARAMS_MAX);
    uint64_t *block = ax_alloc(each * count + 1, 1);
    if (!block)
        return ax_fail(ctx, AX_LIMIT, "no memory for parameters");
    *out = (struct ax_postgres_binding){.block = block, .numbers = block};
    out->values = (const char **)(out->numbers + count); /* the widest first: all are aligned */
    out->lengths = (int *)(out->values + count);
    out->formats = out->lengths + count;
    out->types = (Oid *)(out->formats + count);
    out->kinds = (char *)(out->types + count);
    return AX_OK;
}

void
ax_postgres_binding_done(struct ax_postgres_binding *binding)
{
    ax_free(binding->block);
}

ax_status
ax_postgres_binding_type(struct ax_ctx *ctx, ax_store_params params,
                         struct ax_postgres_binding *binding)
{
    static const struct {
        char letter;
        Oid type;
    } kinds[] = {
        [AX_STORE_NULL] = {'n', 0}, /* the server finds out by the place */
        [AX_STORE_I64] = {'i', OF_INT8},  [AX_STORE_F64] = {'f', OF_FLOAT8},
        [AX_STORE_TEXT] = {'t', OF_TEXT}, [AX_STORE_BLOB] = {'b', OF_BYTEA},
    };
    for (size_t i = 0; i < params.count; i++) {
        const ax_store_value *value = &params.items[i];
        bool bytes = value->kind == AX_STORE_TEXT || value->kind == AX_STORE_BLOB;
        if (bytes && value->bytes.len > INT32_MAX)
            return ax_fail(ctx, AX_INVALID, "parameter %zu is too large for a column", i + 1);
        binding->kinds[i] = kinds[value->kind].letter;
        binding->types[i] = kinds[value->kind].type;
    }
    return AX_OK;
}

static uint64_t
swapped(uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    memcpy(&value, bytes, sizeof value);
    return value;
}

void
ax_postgres_binding_fill(ax_store_params params, struct ax_postgres_binding *out)
{
    for (size_t i = 0; i < params.count; i++) {
        const ax_store_value *value = &params.items[i];
        bool number = value->kind == AX_STORE_I64 || value->kind == AX_STORE_F64;
        uint64_t bits = (uint64_t)value->i64;
        if (value->kind == AX_STORE_F64)
            memcpy(&bits, &value->f64, sizeof bits);
        out->numbers[i] = number ? swapped(bits) : 0;
        out->formats[i] = 1;
        out->lengths[i] = number ? 8 : (int)value->bytes.len;
        out->values[i] = number ? (const char *)&out->numbers[i] : value->bytes.at;
        if (value->kind == AX_STORE_NULL) {
            out->values[i] = NULL;
            out->lengths[i] = 0;
        } else if (!out->values[i]) {
            out->values[i] = ""; /* empty, and not NULL */
        }
    }
}

/* ---- from the server ---- */

static uint64_t
read_bits(const char *at, int len)
{
    uint64_t bits = 0;
    for (int i = 0; i < len; i++)
        bits = bits << 8 | (uint8_t)at[i];
    return bits;
}

static double
read_float(const char *at, int len)
{
    uint64_t bits = read_bits(at, len);
    double value;
    if (len == 4) {
        uint32_t half = (uint32_t)bits;
        float small;
        memcpy(&small, &half, sizeof small);
        return (double)small;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A number of the type numeric: digits of 10,000, the first of weight 10,000^weight. */
struct numeric {
    const char *digits;
    int count, weight;
    bool negative;
};

static bool
parse_numeric(const char *at, int len, struct numeric *out)
{
    enum { HEAD = 8, NEGATIVE = 0x4000 }; /* greater signs: not a number, infinite */
    if (len < HEAD || read_bits(at + 4, 2) > NEGATIVE)
        return false;
    *out = (struct numeric){.digits = at + HEAD,
                            .count = (int16_t)read_bits(at, 2),
                            .weight = (int16_t)read_bits(at + 2, 2),
                            .negative = read_bits(at + 4, 2) == NEGATIVE};
    return len >= HEAD + 2 * out->count;
}

/* What sum() of integers gives: an integer where it is one and fits, else the nearest number. */
static ax_store_value
read_numeric(const char *at, int len)
{
    struct numeric numeric;
    int64_t exact = 0;
    double near = 0;
    if (!parse_numeric(at, len, &numeric))
        return ax_store_null(); /* none of ours */
    bool whole = numeric.count <= numeric.weight + 1;
    for (int i = 0; i < numeric.count || i <= numeric.weight; i++) {
        int digit = i < numeric.count ? (int)read_bits(numeric.digits + 2 * i, 2) : 0;
        near = near * 10'000 + digit;
        whole = whole && !__builtin_mul_overflow(exact, 10'000, &exact) &&
                !__builtin_sub_overflow(exact, digit, &exact); /* below 0, where there is more */
    }
    for (int i = numeric.weight + 1; i < numeric.count; i++)
        near /= 10'000;
    if (!numeric.negative)
        whole = whole && !__builtin_sub_overflow(0, exact, &exact);
    return whole ? ax_store_i64(exact) : ax_store_f64(numeric.negative ? -near : near);
}

ax_store_value
ax_postgres_column(struct ax_store_rows *base, int column)
{
    const PGresult *row = ((struct ax_postgres_rows *)base)->row;
    if (!row || column >= PQnfields(row) || PQgetisnull(row, 0, column))
        return ax_store_null();
    const char *at = PQgetvalue(row, 0, column);
    int len = PQgetlength(row, 0, column);
    ax_str bytes = {at, (size_t)len};
    switch (PQftype(row, column)) {
    case OF_BOOL:
        return ax_store_i64(at[0] != 0);
    case OF_INT2:
        return ax_store_i64((int16_t)read_bits(at, len));
    case OF_INT4:
        return ax_store_i64((int32_t)read_bits(at, len));
    case OF_INT8:
    case OF_OID:
        return ax_store_i64((int64_t)read_bits(at, len));
    case OF_FLOAT4:
    case OF_FLOAT8:
        return ax_store_f64(read_float(at, len));
    case OF_NUMERIC:
        return read_numeric(at, len);
    case OF_CHAR:
    case OF_NAME:
    case OF_TEXT:
    case OF_UNKNOWN:
    case OF_BPCHAR:
    case OF_VARCHAR:
        return ax_store_text(bytes);
    default:
        return ax_store_blob(bytes); /* bytea, and what the port has no word for */
    }
}
