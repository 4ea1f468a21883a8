/*
 * A real PostgreSQL of the test's own (tests/postgres_server), started when it is first wanted. It
 * ends with the test's process, however that ends: it reads a pipe whose other end is here.
 */
#pragma once

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static struct postgres_case {
    int orders, answers; /* ends of pipes; 0: not started */
    bool absent;
    int database_count;
    char folder[64];
} postgres_case;

/* Whether the server's next line is the wanted one. */
static inline bool
postgres_case_hears(const char *wanted)
{
    char line[32] = "";
    for (size_t at = 0; at + 1 < sizeof line; at++)
        if (read(postgres_case.answers, &line[at], 1) != 1 || line[at] == '\n') {
            line[at] = '\0';
            break;
        }
    postgres_case.absent = strcmp(line, "absent") == 0;
    return strcmp(line, wanted) == 0;
}

/* "stop", "start" or "database NAME"; waits for its answer. */
static inline bool
postgres_case_tell(const char *order, const char *wanted)
{
    char line[128];
    int len = snprintf(line, sizeof line, "%s\n", order);
    return write(postgres_case.orders, line, (size_t)len) == len && postgres_case_hears(wanted);
}

static inline void
postgres_case_start(void)
{
    int orders[2], answers[2];
    snprintf(postgres_case.folder, sizeof postgres_case.folder, "/tmp/axiom-postgres-XXXXXX");
    REQUIRE(mkdtemp(postgres_case.folder) != NULL && pipe(orders) == 0 && pipe(answers) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(orders[0], STDIN_FILENO);
        dup2(answers[1], STDOUT_FILENO);
        for (int fd = STDERR_FILENO + 1; fd < 16; fd++)
            close(fd);
        execl("tests/postgres_server", "postgres_server", postgres_case.folder, "-c", "fsync=off",
              (char *)NULL);
        _exit(127);
    }
    close(orders[0]);
    close(answers[1]);
    postgres_case.orders = orders[1];
    postgres_case.answers = answers[0];
    CHECK(postgres_case_hears("ready") || postgres_case.absent);
}

/* false, with a word about it, where the package is not installed. */
static inline bool
postgres_case_there(void)
{
    if (!postgres_case.orders)
        postgres_case_start();
    if (postgres_case.absent)
        printf("PostgreSQL is not installed here: its tests are skipped\n");
    return !postgres_case.absent;
}

/* The URL of a new, empty database. */
static inline ax_str
postgres_case_database(struct ax_ctx *ctx)
{
    char order[32];
    snprintf(order, sizeof order, "database db%d", ++postgres_case.database_count);
    CHECK(postgres_case_tell(order, "made"));
    return ax_str_printf(ctx->arena, "postgresql://postgres@/db%d?host=%s",
                         postgres_case.database_count, postgres_case.folder);
}
