#include "api/dialect.h"

#include "base/assert.h"

static const char *const names[AX_DIALECT_COUNT] = {
    [AX_DIALECT_BASE] = "base",
    [AX_DIALECT_INFERENCE] = "inference",
    [AX_DIALECT_TFSERVING] = "tfserving",
    [AX_DIALECT_TORCHSERVE] = "torchserve",
    [AX_DIALECT_TORCHSERVE_MANAGEMENT] = "torchserve_management",
    [AX_DIALECT_MLFLOW] = "mlflow",
    [AX_DIALECT_AXIOM] = "axiom",
};

const char *
ax_dialect_name(enum ax_dialect dialect)
{
    AX_ASSERT(dialect < AX_DIALECT_COUNT);
    return names[dialect];
}

unsigned
ax_dialects_default(void)
{
    return ((1U << AX_DIALECT_COUNT) - 1) & ~(1U << AX_DIALECT_TORCHSERVE_MANAGEMENT);
}

static ax_status
add_dialect(struct ax_ctx *ctx, ax_str name, unsigned *dialects)
{
    for (unsigned i = 0; i < AX_DIALECT_COUNT; i++)
        if (ax_str_eq(name, ax_str_of(names[i]))) {
            *dialects |= 1U << i;
            return AX_OK;
        }
    return ax_fail(ctx, AX_INVALID,
                   "\"%.*s\" is no dialect; a listener may name inference, tfserving, torchserve, "
                   "torchserve_management, mlflow and axiom",
                   AX_FMT(name));
}

ax_status
ax_dialects_of_listener(struct ax_ctx *ctx, ax_str listener, ax_str *out_address,
                        unsigned *out_dialects)
{
    ax_str rest = listener, address, name;
    unsigned dialects = 1U << AX_DIALECT_BASE;
    if (ax_str_find(listener, AX_STR("=")) == SIZE_MAX) {
        *out_address = listener;
        *out_dialects = ax_dialects_default();
        return AX_OK;
    }
    (void)ax_str_cut(&rest, '=', &address);
    if (rest.len == 0)
        return ax_fail(ctx, AX_INVALID, "listener \"%.*s\" names no dialect behind the '='",
                       AX_FMT(listener));
    while (ax_str_cut(&rest, ',', &name))
        AX_TRY(add_dialect(ctx, name, &dialects));
    if (dialects >> AX_DIALECT_TORCHSERVE & 1)
        dialects |= 1U << AX_DIALECT_TFSERVING; /* TorchServe takes KServe v1 as well */
    *out_address = address;
    *out_dialects = dialects;
    return AX_OK;
}
