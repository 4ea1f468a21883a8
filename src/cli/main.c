#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/remote_verb.h"
#include "sys/crypto.h"

enum { ARENA_BYTES_MAX = INT32_MAX };

static const struct ax_command *const commands[] = {
    &ax_command_init,         &ax_command_serve,         &ax_command_score,
    &ax_command_inspect,      &ax_command_compare,       &ax_command_approve,
    &ax_command_reject,       &ax_command_key_new,       &ax_command_key_enroll,
    &ax_command_verify,       &ax_command_restore,       &ax_command_settings,
    &ax_command_train_worker, &ax_command_import_mlflow, &ax_command_export_mlflow,
    &ax_command_run,
};

static void
print_help(FILE *out)
{
    fprintf(out, "Axiom: the governed decision engine\n\nusage: axiom VERB [options]\n\n");
    for (size_t i = 0; i < AX_COUNT_OF(commands); i++)
        if (commands[i]->summary)
            fprintf(out, "  %-18s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\non a server (--url, --token-file; AXIOM_URL, AXIOM_TOKEN):\n\n");
    for (size_t i = 0; i < ax_remote_verb_count; i++)
        fprintf(out, "  %-18s %s\n", ax_remote_verbs[i].name, ax_remote_verbs[i].summary);
    fprintf(out, "\naxiom VERB --help shows a verb's options and an example.\n"
                 "axiom completion prints what bash needs to complete verbs.\n");
}

/* How many arguments the verb's words take, or 0 when it is another verb. */
static int
words_matched(const char *name, int argument_count, char **arguments)
{
    ax_str rest = ax_str_of(name), word;
    int count = 0;
    while (ax_str_cut(&rest, ' ', &word)) {
        if (count == argument_count || !ax_str_eq(word, ax_str_of(arguments[count])))
            return 0;
        count++;
    }
    return count;
}

/* Behind `--` stands another program's command line. */
static bool
asks_for_help(int argument_count, char **arguments)
{
    for (int i = 0; i < argument_count && !ax_str_eq(ax_str_of(arguments[i]), AX_STR("--")); i++)
        if (ax_str_eq(ax_str_of(arguments[i]), AX_STR("--help")))
            return true;
    return false;
}

/* Lists the verbs that begin with word ("kill throw", "kill show", ...); whether there are any. */
static bool
print_group(FILE *out, ax_str word)
{
    size_t count = 0;
    for (size_t i = 0; i < AX_COUNT_OF(commands) + ax_remote_verb_count; i++) {
        bool local = i < AX_COUNT_OF(commands);
        const struct ax_remote_verb *remote =
            ax_remote_verbs + (local ? 0 : i - AX_COUNT_OF(commands));
        const char *name = local ? commands[i]->name : remote->name;
        const char *summary = local ? commands[i]->summary : remote->summary;
        ax_str rest = ax_str_of(name), first;
        if (!summary || !ax_str_cut(&rest, ' ', &first) || !ax_str_eq(first, word))
            continue;
        fprintf(out, "  axiom %-18s %s\n", name, summary);
        count++;
    }
    return count > 0;
}

/* A local verb, or one that is a request; never both. */
struct verb {
    const struct ax_command *local;
    const struct ax_remote_verb *remote;
    int words;
};

/* The longest name that fits: "validate show" before "validate". */
static struct verb
find_verb(int argument_count, char **arguments)
{
    struct verb best = {};
    for (size_t i = 0; i < AX_COUNT_OF(commands); i++) {
        int words = words_matched(commands[i]->name, argument_count, arguments);
        if (words > best.words)
            best = (struct verb){.local = commands[i], .words = words};
    }
    for (size_t i = 0; i < ax_remote_verb_count; i++) {
        int words = words_matched(ax_remote_verbs[i].name, argument_count, arguments);
        if (words > best.words)
            best = (struct verb){.remote = &ax_remote_verbs[i], .words = words};
    }
    return best;
}

static int
run(const struct verb *verb, int argument_count, char **arguments)
{
    const char *name = verb->local ? verb->local->name : verb->remote->name;
    if (asks_for_help(argument_count, arguments)) {
        if (verb->local)
            fputs(verb->local->help, stdout);
        else
            ax_remote_verb_help(verb->remote);
        return EXIT_SUCCESS;
    }
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(ARENA_BYTES_MAX);
    if (!arena) {
        fprintf(stderr, "axiom: no memory\n");
        return EXIT_FAILURE;
    }
    struct ax_ctx ctx = ax_ctx_of(arena);
    ax_status status = ax_crypto_init(&ctx);
    int exit_code = EXIT_SUCCESS;
    if (status == AX_OK && verb->local && verb->local->run_child)
        status = verb->local->run_child(&ctx, argument_count, arguments, &exit_code);
    else if (status == AX_OK)
        status = verb->local ? verb->local->run(&ctx, argument_count, arguments)
                             : ax_remote_verb_run(&ctx, verb->remote, argument_count, arguments);
    if (status != AX_OK) {
        fflush(stdout);
        fprintf(stderr, "axiom %s: %s\n", name, ctx.error);
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? exit_code : EXIT_FAILURE;
}

/* Verbs are at most two words: the second is completed from those that begin with the first. */
static void
print_completion(void)
{
    printf("_axiom() {\n"
           "  local line=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
           "  local verbs='");
    for (size_t i = 0; i < AX_COUNT_OF(commands); i++)
        if (commands[i]->summary)
            printf("%s\n", commands[i]->name);
    for (size_t i = 0; i < ax_remote_verb_count; i++)
        printf("%s\n", ax_remote_verbs[i].name);
    printf("'\n"
           "  local found\n"
           "  found=$(printf '%%s' \"$verbs\" | awk -v line=\"$line\" '\n"
           "    line == \"\" { print $1 } line != \"\" && $1 == line { print $2 }' | sort -u)\n"
           "  COMPREPLY=($(compgen -W \"$found --help --json\" -- \"$word\"))\n"
           "}\n"
           "complete -o default -F _axiom axiom\n");
}

int
main(int argument_count, char **arguments)
{
    umask(077); /* what the program writes is for its user alone */
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
    if (ax_str_eq(ax_str_of(arguments[0]), AX_STR("completion"))) {
        print_completion();
        return EXIT_SUCCESS;
    }
    struct verb verb = find_verb(argument_count, arguments);
    if (verb.words > 0)
        return run(&verb, argument_count - verb.words, arguments + verb.words);
    bool help = asks_for_help(argument_count, arguments);
    if (print_group(help ? stdout : stderr, ax_str_of(arguments[0])))
        return help ? EXIT_SUCCESS : EXIT_FAILURE;
    fprintf(stderr, "axiom: unknown verb `%s`; axiom --help lists them\n", arguments[0]);
    return EXIT_FAILURE;
}
