#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "sys/crypto.h"

enum { ARENA_BYTES_MAX = INT32_MAX };

static const struct ax_command *const commands[] = {
    &ax_command_score,
    &ax_command_inspect,
};

static void
print_help(FILE *out)
{
    fprintf(out, "Axiom: the governed decision engine\n\nusage: axiom VERB [options]\n\n");
    for (size_t i = 0; i < AX_COUNT_OF(commands); i++)
        fprintf(out, "  %-16s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\naxiom VERB --help shows a verb's options and an example.\n");
}

/* How many arguments the verb's words take, or 0 when it is another verb. */
static int
words_matched(const struct ax_command *command, int argument_count, char **arguments)
{
    ax_str rest = ax_str_of(command->name), word;
    int count = 0;
    while (ax_str_cut(&rest, ' ', &word)) {
        if (count == argument_count || !ax_str_eq(word, ax_str_of(arguments[count])))
            return 0;
        count++;
    }
    return count;
}

static bool
asks_for_help(int argument_count, char **arguments)
{
    for (int i = 0; i < argument_count; i++)
        if (ax_str_eq(ax_str_of(arguments[i]), AX_STR("--help")))
            return true;
    return false;
}

static int
run(const struct ax_command *command, int argument_count, char **arguments)
{
    if (asks_for_help(argument_count, arguments)) {
        fputs(command->help, stdout);
        return EXIT_SUCCESS;
    }
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    if (!arena) {
        fprintf(stderr, "axiom: no memory\n");
        return EXIT_FAILURE;
    }
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_status status = ax_crypto_init(&ctx);
    if (status == AX_OK)
        status = command->run(&ctx, argument_count, arguments);
    if (status != AX_OK) {
        fflush(stdout);
        fprintf(stderr, "axiom %s: %s\n", command->name, ctx.error);
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argument_count, char **arguments)
{
    argument_count--;
    arguments++;
    if (argument_count == 0 || ax_str_eq(ax_str_of(arguments[0]), AX_STR("--help"))) {
        print_help(argument_count ? stdout : stderr);
        return argument_count ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (ax_str_eq(ax_str_of(arguments[0]), AX_STR("--version"))) {
        printf("axiom %s\n", AX_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < AX_COUNT_OF(commands); i++) {
        int words = words_matched(commands[i], argument_count, arguments);
        if (words > 0)
            return run(commands[i], argument_count - words, arguments + words);
    }
    fprintf(stderr, "axiom: unknown verb `%s`; axiom --help lists them\n", arguments[0]);
    return EXIT_FAILURE;
}
