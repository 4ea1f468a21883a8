/*
 * A real PostgreSQL of the test's own (tests/postgres_server), started when it is first wanted. It
 * ends with the test's process, however that ends: it reads a pipe whose other end is here.
 */
#pragma once

#include "base/ctx.h"

/* false, with a word about it, where the package is not installed. */
bool postgres_case_there(void);

/* "stop", "start" or "database NAME"; whether the wanted answer came. */
bool postgres_case_tell(const char *order, const char *wanted);

/* The URL of a new, empty database. */
ax_str postgres_case_database(struct ax_ctx *ctx);

/* Where its socket is. */
const char *postgres_case_folder(void);
