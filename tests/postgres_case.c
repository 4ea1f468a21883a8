#include "postgres_case.h"

#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

static struct {
    int orders, answers; /* ends of pipes; 0: not started */
    bool absent;
    int database_count;
    char folder[64];
} server;

/* Whether the server's next line is the wanted one. */
static bool
hears(const char *wanted)
{
    char line[32] = "";
    for (size_t at = 0; at + 1 < sizeof line; at++)
        if (read(server.answers, &line[at], 1) != 1 || line[at] == '\n') {
            line[at] = '\0';
            break;
        }
    server.absent = strcmp(line, "absent") == 0;
    return strcmp(line, wanted) == 0;
}

bool
postgres_case_tell(const char *order, const char *wanted)
{
    char line[128];
    int len = snprintf(line, sizeof line, "%s\n", order);
    return write(server.orders, line, (size_t)len) == len && hears(wanted);
}

static void
start(void)
{
    int orders[2], answers[2];
    snprintf(server.folder, sizeof server.folder, "/tmp/axiom-postgres-XXXXXX");
    REQUIRE(mkdtemp(server.folder) != NULL && pipe(orders) == 0 && pipe(answers) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(orders[0], STDIN_FILENO);
        dup2(answers[1], STDOUT_FILENO);
        close_range(STDERR_FILENO + 1, ~0U, 0); /* its input must end when we do */
        execl("tests/postgres_server", "postgres_server", server.folder, "-c", "fsync=off",
              (char *)NULL);
        _exit(127);
    }
    close(orders[0]);
    close(answers[1]);
    server.orders = orders[1];
    server.answers = answers[0];
    CHECK(hears("ready") || server.absent);
}

bool
postgres_case_there(void)
{
    if (!server.orders)
        start();
    if (server.absent)
        printf("PostgreSQL is not installed here: its tests are skipped\n");
    return !server.absent;
}

ax_str
postgres_case_database(struct ax_ctx *ctx)
{
    char order[32];
    snprintf(order, sizeof order, "database db%d", ++server.database_count);
    CHECK(postgres_case_tell(order, "made"));
    return ax_str_printf(ctx->arena, "postgresql://postgres@/db%d?host=%s", server.database_count,
                         server.folder);
}

const char *
postgres_case_folder(void)
{
    return server.folder;
}
