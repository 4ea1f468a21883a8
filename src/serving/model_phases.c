#include "serving/model_phases.h"

#include "base/alloc.h"

static struct ax_model_phases *
find(struct ax_model_phases *list, const char *model, const char *version)
{
    while (list && (strcmp(list->model, model) != 0 || strcmp(list->version, version) != 0))
        list = list->next;
    return list;
}

ax_status
ax_model_phases_of(struct ax_ctx *ctx, struct ax_model_phases **list, struct ax_metrics *metrics,
                   const char *model, const char *version,
                   const struct ax_model_phases **out_phases)
{
    struct ax_model_phases *made = find(*list, model, version);
    size_t model_bytes = strlen(model) + 1, version_bytes = strlen(version) + 1;
    *out_phases = made;
    if (made)
        return AX_OK;
    made = ax_alloc(1, sizeof *made + model_bytes + version_bytes);
    if (!made)
        return ax_fail(ctx, AX_LIMIT, "no memory for the metrics of a version");
    char *texts = (char *)(made + 1);
    memcpy(texts, model, model_bytes);
    memcpy(texts + model_bytes, version, version_bytes);
    made->model = texts;
    made->version = texts + model_bytes;
    for (int phase = 0; phase < AX_PHASE_COUNT; phase++)
        made->seconds[phase] =
            ax_metrics_series(metrics, AX_METRIC_HISTOGRAM, "axiom_phase_seconds",
                              "Time of a request in each of its phases.", "model", model, "version",
                              version, "phase", ax_phase_name((enum ax_phase)phase), NULL);
    made->next = *list;
    *out_phases = *list = made;
    return AX_OK;
}

void
ax_model_phases_free(struct ax_model_phases *list)
{
    for (struct ax_model_phases *next; list; list = next) {
        next = list->next;
        ax_free(list);
    }
}

void
ax_model_phases_observe(const struct ax_model_phases *model, const struct ax_phases *phases)
{
    for (int phase = 0; phase < AX_PHASE_COUNT; phase++)
        if (phases->began_ns[phase])
            ax_metric_observe_ns(model->seconds[phase], phases->took_ns[phase]);
}
