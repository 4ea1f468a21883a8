/*
 * Who may do what with an experiment or a registered model, as MLflow's own users have it: READ,
 * USE, EDIT, MANAGE, over auth/permissions.
 *
 * One table says for each route what it is about and how much it takes; ax_mlflow_permit asks for
 * all of them, and what the table does not name is refused. Runs, logged models and artifacts are
 * their experiment's. Lists leave out what the caller may not read.
 */
#pragma once

#include "api/mlflow_wire.h"

/* The hook of every tracked table (route.h). Fails: DENIED, in words that name the thing. */
ax_status ax_mlflow_permit(struct ax_call *call, struct ax_ctx *ctx);

/* "experiment" or "registered_model": whoever makes one manages it. */
ax_status ax_mlflow_made(struct ax_call *call, struct ax_ctx *ctx, const char *kind,
                         ax_str resource);

/* A registered model got another name, or is gone (to: ""). */
ax_status ax_mlflow_moved(struct ax_call *call, struct ax_ctx *ctx, const char *kind, ax_str from,
                          ax_str to);

/*
 * The answer, as it was written, without those items of its array `list` that the caller may not
 * read; each is known by its member `id`. A page is shorter then, and the next one is there.
 */
ax_status ax_mlflow_leave_out(struct ax_call *call, struct ax_ctx *ctx, const char *kind,
                              const char *list, const char *id);

/* Whether the table has a row for the route. */
bool ax_mlflow_permit_knows(const struct ax_route *route);
