/* axiom run -- COMMAND: any program as a run on an MLflow tracking server. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"
#include "cli/command.h"
#include "cli/run_record.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/usage.h"

enum {
    BODY_BYTES_MAX = 1 << 20,
    OUTPUT_BYTES_MAX = 8 << 20, /* of the artifact; what is past it is only shown */
    TICK_ARENA_BYTES = 64 << 20,
    PARAMS_MAX = 90,
    ENVIRONMENT_MAX = 32,
    EXIT_NOT_RUN = 127,
};

#define NS_PER_MS   INT64_C(1'000'000)
#define SAMPLE_NS   (10'000 * NS_PER_MS)
#define UPLOAD_NS   (15'000 * NS_PER_MS)
#define YEARS_MS    (INT64_C(20) * 365 * 86'400'000)
#define OUTPUT_NAME "output.log"
#define NOT_SAID    "***"

/* What is kept of the environment, besides what --env names; never what may be a secret. */
static const char *const kept_environment[] = {
    "CONDA_DEFAULT_ENV",
    "VIRTUAL_ENV",
    "PYTHONHASHSEED",
    "CUDA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TZ",
    "LANG",
    "SLURM_JOB_ID",
    "SLURM_NODELIST",
    "CI",
    "HOSTNAME",
    "CI_COMMIT_SHA",
    "GITHUB_SHA",
    "GITHUB_RUN_ID",
    "BUILD_NUMBER",
};

struct wish {
    ax_str url, experiment, name, interval, environment; /* names with commas between */
    const char *const *command;
    size_t command_count;
    int64_t interval_ns;
};

struct watched {
    struct ax_run_record record;
    const struct wish *wish;
    struct ax_arena *arena; /* of one tick */
    struct ax_usage usage;
    struct ax_writer output;
    uint64_t cut_bytes, uploaded_bytes;
    int64_t next_sample_ns, next_upload_ns, step;
    bool complained;
};

/* ---- what is said of it at the beginning ---- */

static ax_status
no_memory(struct ax_ctx *ctx)
{
    return ax_fail(ctx, AX_LIMIT, "no memory for a run");
}

static void
put_pair(struct ax_json_writer *json, ax_str key, ax_str value)
{
    ax_json_begin_object(json);
    ax_json_member_text(json, "key", key);
    ax_json_member_text(json, "value", value);
    ax_json_end_object(json);
}

/* Its characters that MLflow allows in a key; the others are '_'. */
static ax_str
key_of(struct ax_ctx *ctx, const char *prefix, ax_str name)
{
    char text[200];
    size_t len = name.len < 180 ? name.len : 180;
    for (size_t i = 0; i < len; i++) {
        char c = name.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr("_-. ", c);
        text[i] = fine && c ? c : '_';
    }
    return ax_str_printf(ctx->arena, "%s%.*s", prefix, (int)len, text);
}

/* One parameter of a command line: its name, "" of a bare word. */
struct parameter {
    ax_str name, value;
};

/* "--depth 3" and "--depth=3" are depth. words: how many of the command line it took. */
static struct parameter
read_parameter(const struct wish *wish, size_t at, size_t *out_words)
{
    struct parameter parameter = {AX_STR(""), ax_str_of(wish->command[at])};
    ax_str name = parameter.value;
    bool option = name.len > 1 && name.at[0] == '-' && !(name.at[1] >= '0' && name.at[1] <= '9');
    *out_words = 1;
    if (!option)
        return parameter;
    while (ax_str_starts(name, AX_STR("-")))
        name = ax_str_from(name, 1);
    ax_str next = at + 1 < wish->command_count ? ax_str_of(wish->command[at + 1]) : AX_STR("-");
    parameter.value = name;
    if (memchr(name.at, '=', name.len)) {
        (void)ax_str_cut(&parameter.value, '=', &name);
    } else if (ax_str_starts(next, AX_STR("-"))) {
        parameter.value = AX_STR("true");
    } else {
        parameter.value = next;
        *out_words = 2;
    }
    parameter.name = name;
    return parameter;
}

static ax_status
put_parameters(struct ax_ctx *ctx, const struct wish *wish, struct ax_json_writer *json)
{
    size_t words, count = 0;
    for (size_t i = 1; i < wish->command_count && count < PARAMS_MAX; i += words, count++) {
        struct parameter parameter = read_parameter(wish, i, &words);
        ax_str key = parameter.name.len ? key_of(ctx, "", parameter.name)
                                        : ax_str_printf(ctx->arena, "argument_%zu", i);
        if (!key.at)
            return no_memory(ctx);
        put_pair(json, key,
                 ax_run_record_is_secret(parameter.name) ? AX_STR(NOT_SAID) : parameter.value);
    }
    return AX_OK;
}

static bool
is_named(ax_str list, ax_str name)
{
    ax_str rest = list, word;
    while (rest.at && ax_str_cut(&rest, ',', &word))
        if (ax_str_eq(ax_str_trim(word), name))
            return true;
    return false;
}

static ax_status
put_environment(struct ax_ctx *ctx, const struct wish *wish, struct ax_json_writer *json)
{
    ax_str rest = wish->environment, name;
    for (size_t i = 0; i < AX_COUNT_OF(kept_environment); i++) {
        const char *value = getenv(kept_environment[i]);
        ax_str key = key_of(ctx, "env.", ax_str_of(kept_environment[i]));
        if (!key.at)
            return no_memory(ctx);
        if (value && !is_named(wish->environment, ax_str_of(kept_environment[i])))
            put_pair(json, key, ax_str_of(value));
    }
    for (int count = 0; rest.len && ax_str_cut(&rest, ',', &name) && count < ENVIRONMENT_MAX;
         count++) {
        name = ax_str_trim(name);
        const char *text = ax_str_c(ctx->arena, name), *value = text ? getenv(text) : NULL;
        ax_str key = key_of(ctx, "env.", name);
        if (!text || !key.at)
            return no_memory(ctx);
        if (value)
            put_pair(json, key,
                     ax_run_record_is_secret(name) ? AX_STR(NOT_SAID) : ax_str_of(value));
    }
    return AX_OK;
}

/* What git says, trimmed; "" where there is no git or no repository. */
static ax_str
ask_git(struct ax_ctx *ctx, const char *const *arguments)
{
    struct ax_process_result result = {};
    const struct ax_process_config config = {
        .arguments = arguments, .timeout_ms = 5'000, .output_bytes_max = 64 << 10};
    bool answered = ax_process_run(ctx, &config, &result) == AX_OK && result.exit_code == 0;
    ctx->error[0] = '\0';
    return answered ? ax_str_trim(result.output) : AX_STR("");
}

static void
put_git(struct ax_ctx *ctx, struct ax_json_writer *json)
{
    static const char *const head[] = {"git", "rev-parse", "HEAD", NULL};
    static const char *const branch[] = {"git", "rev-parse", "--abbrev-ref", "HEAD", NULL};
    static const char *const changed[] = {"git", "status", "--porcelain", NULL};
    ax_str commit = ask_git(ctx, head);
    if (commit.len == 0)
        return;
    put_pair(json, AX_STR("mlflow.source.git.commit"), commit);
    put_pair(json, AX_STR("mlflow.source.git.branch"), ask_git(ctx, branch));
    put_pair(json, AX_STR("git.changed"),
             ask_git(ctx, changed).len ? AX_STR("true") : AX_STR("false"));
}

/* The command as it was typed, without values that may be secrets. */
static ax_status
command_text(struct ax_ctx *ctx, const struct wish *wish, ax_str *out)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    bool hidden = false;
    for (size_t i = 0; i < wish->command_count; i++) {
        ax_str word = ax_str_of(wish->command[i]), rest = word, name;
        bool option = ax_str_starts(word, AX_STR("-"));
        bool secret = option && ax_str_cut(&rest, '=', &name) && ax_run_record_is_secret(name);
        if (i)
            ax_writer_char(&text, ' ');
        if (hidden && !option)
            ax_writer_text(&text, NOT_SAID);
        else if (secret && rest.at)
            ax_writer_print(&text, "%.*s=" NOT_SAID, AX_FMT(name));
        else
            ax_writer_bytes(&text, word);
        hidden = secret && !rest.at;
    }
    return ax_writer_take(&text, ctx->arena, out) == AX_OK ? AX_OK : no_memory(ctx);
}

static ax_status
begin(struct ax_ctx *ctx, struct watched *watched)
{
    const struct wish *wish = watched->wish;
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    const char *user = getenv("USER");
    ax_str experiment, command;
    AX_TRY(ax_run_record_experiment(&watched->record, ctx, wish->experiment, &experiment));
    AX_TRY(command_text(ctx, wish, &command));
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "experiment_id", experiment);
    ax_json_member_i64(&json, "start_time", ax_clock_real_ms());
    ax_json_member_text(&json, "user_id", ax_str_of(user));
    if (wish->name.len)
        ax_json_member_text(&json, "run_name", wish->name);
    ax_json_key(&json, "tags");
    ax_json_begin_array(&json);
    put_pair(&json, AX_STR("mlflow.source.name"), command);
    put_pair(&json, AX_STR("mlflow.source.type"), AX_STR("LOCAL"));
    put_pair(&json, AX_STR("mlflow.user"), ax_str_of(user));
    put_git(ctx, &json);
    AX_TRY(put_environment(ctx, wish, &json));
    ax_json_end_array(&json);
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return no_memory(ctx);
    AX_TRY(ax_run_record_begin(&watched->record, ctx, ax_writer_str(&text)));
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "run_id", watched->record.run_id);
    ax_json_key(&json, "params");
    ax_json_begin_array(&json);
    AX_TRY(put_parameters(ctx, wish, &json));
    ax_json_end_array(&json);
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return no_memory(ctx);
    return ax_run_record_post(&watched->record, ctx, "runs/log-batch", ax_writer_str(&text));
}

/* ---- while it runs ---- */

/* A server that is away stops nobody's training: it is said once. */
static void
complain(struct watched *watched, struct ax_ctx *ctx, ax_status status)
{
    if (status != AX_OK && !watched->complained)
        fprintf(stderr, "axiom run: not recorded: %s\n", ctx->error);
    watched->complained = status != AX_OK;
}

static void
put_metric(struct ax_json_writer *json, const char *name, double value, int64_t step)
{
    if (!isfinite(value))
        return;
    ax_str key = ax_str_of(name);
    ax_json_begin_object(json);
    ax_json_member_text(json, "key", key);
    ax_json_member_f64(json, "value", value);
    ax_json_member_i64(json, "timestamp", ax_clock_real_ms());
    ax_json_member_i64(json, "step", step);
    ax_json_end_object(json);
}

/* The names are those of MLflow's own system metrics; those of the process are beside them. */
static ax_status
log_usage(struct watched *watched, struct ax_ctx *ctx, int pid)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    struct ax_usage *usage = &watched->usage;
    ax_usage_look(usage, pid, ".");
    const struct {
        const char *name;
        double value;
    } metrics[] = {
        {"system/cpu_utilization_percentage", usage->cpu_percent},
        {"system/system_memory_usage_megabytes", usage->memory_megabytes},
        {"system/system_memory_usage_percentage", usage->memory_percent},
        {"system/disk_usage_megabytes", usage->disk_megabytes},
        {"system/disk_usage_percentage", usage->disk_percent},
        {"system/disk_available_megabytes", usage->disk_available_megabytes},
        {"system/network_receive_megabytes", usage->receive_megabytes},
        {"system/network_transmit_megabytes", usage->transmit_megabytes},
        {"system/process_cpu_utilization_percentage", usage->process_cpu_percent},
        {"system/process_memory_usage_megabytes", usage->process_memory_megabytes},
    };
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "run_id", watched->record.run_id);
    ax_json_key(&json, "metrics");
    ax_json_begin_array(&json);
    for (size_t i = 0; i < AX_COUNT_OF(metrics); i++)
        put_metric(&json, metrics[i].name, metrics[i].value, watched->step);
    ax_json_end_array(&json);
    ax_json_end_object(&json);
    watched->step++;
    if (text.status != AX_OK)
        return no_memory(ctx);
    return ax_run_record_post(&watched->record, ctx, "runs/log-batch", ax_writer_str(&text));
}

static ax_status
upload(struct watched *watched, struct ax_ctx *ctx)
{
    ax_str said = ax_writer_str(&watched->output);
    if (said.len == watched->uploaded_bytes)
        return AX_OK;
    AX_TRY(ax_run_record_put(&watched->record, ctx, OUTPUT_NAME, said));
    watched->uploaded_bytes = said.len;
    return AX_OK;
}

static void
run_on_output(void *arg, bool errors, ax_str bytes)
{
    struct watched *watched = arg;
    FILE *out = errors ? stderr : stdout;
    size_t room = watched->output.len_max - watched->output.len;
    fwrite(bytes.at, 1, bytes.len, out);
    fflush(out);
    watched->cut_bytes += bytes.len > room ? bytes.len - room : 0;
    bytes.len = bytes.len < room ? bytes.len : room;
    ax_writer_bytes(&watched->output, bytes);
}

static void
run_on_tick(void *arg, int pid)
{
    struct watched *watched = arg;
    int64_t now_ns = ax_clock_monotonic_ns();
    struct ax_ctx ctx = ax_ctx_of(watched->arena);
    if (now_ns >= watched->next_sample_ns) {
        complain(watched, &ctx, log_usage(watched, &ctx, pid));
        watched->next_sample_ns = now_ns + watched->wish->interval_ns;
        ax_arena_reset(watched->arena);
    }
    if (now_ns >= watched->next_upload_ns) {
        complain(watched, &ctx, upload(watched, &ctx));
        watched->next_upload_ns = now_ns + UPLOAD_NS;
        ax_arena_reset(watched->arena);
    }
}

/* ---- the end ---- */

static const char *
ending(const struct ax_process_result *result)
{
    if (result->signal || (result->forwarded && result->exit_code))
        return "KILLED";
    return result->exit_code ? "FAILED" : "FINISHED";
}

static ax_status
finish(struct watched *watched, struct ax_ctx *ctx, const char *status, int exit_code)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(BODY_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    char digits[AX_NUMBER_BYTES_MAX];
    ax_str code = {digits, ax_format_i64(exit_code, digits)};
    if (watched->cut_bytes)
        complain(watched, ctx,
                 ax_fail(ctx, AX_LIMIT, "%" PRIu64 " bytes of output past the first %d",
                         watched->cut_bytes, OUTPUT_BYTES_MAX));
    complain(watched, ctx, upload(watched, ctx));
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "run_id", watched->record.run_id);
    ax_json_member_text(&json, "key", AX_STR("exit_code"));
    ax_json_member_text(&json, "value", code);
    ax_json_end_object(&json);
    complain(watched, ctx,
             ax_run_record_post(&watched->record, ctx, "runs/set-tag", ax_writer_str(&text)));
    ax_writer_clear(&text);
    json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "run_id", watched->record.run_id);
    ax_json_member_text(&json, "status", ax_str_of(status));
    ax_json_member_i64(&json, "end_time", ax_clock_real_ms());
    ax_json_end_object(&json);
    return ax_run_record_post(&watched->record, ctx, "runs/update", ax_writer_str(&text));
}

static ax_status
run_child(struct watched *watched, struct ax_ctx *ctx, int *out_exit)
{
    const struct wish *wish = watched->wish;
    struct ax_process_result result = {};
    const char *environment[3] = {};
    ax_str id = ax_str_printf(ctx->arena, "MLFLOW_RUN_ID=%.*s", AX_FMT(watched->record.run_id));
    ax_str url = ax_str_printf(ctx->arena, "MLFLOW_TRACKING_URI=%.*s", AX_FMT(watched->record.url));
    environment[0] = id.at ? ax_str_c(ctx->arena, id) : NULL;
    environment[1] = url.at ? ax_str_c(ctx->arena, url) : NULL;
    if (!environment[0] || !environment[1])
        return no_memory(ctx);
    const struct ax_process_watch watch = {watched, run_on_output, run_on_tick};
    const struct ax_process_config config = {.arguments = wish->command,
                                             .environment = environment,
                                             .timeout_ms = YEARS_MS,
                                             .watch = &watch};
    ax_status status = ax_process_run(ctx, &config, &result);
    *out_exit = status == AX_OK ? result.exit_code : EXIT_NOT_RUN;
    if (status != AX_OK) {
        fprintf(stderr, "axiom run: %s\n", ctx->error);
        ctx->error[0] = '\0';
        return finish(watched, ctx, "FAILED", *out_exit);
    }
    return finish(watched, ctx, ending(&result), *out_exit);
}

static ax_status
read_wish(struct ax_ctx *ctx, int argument_count, char **arguments, struct wish *out)
{
    int count = 0;
    ax_str positional = AX_STR("");
    const struct ax_option options[] = {{.name = "--url", .out_value = &out->url},
                                        {.name = "--experiment", .out_value = &out->experiment},
                                        {.name = "--name", .out_value = &out->name},
                                        {.name = "--env", .out_value = &out->environment},
                                        {.name = "--interval", .out_value = &out->interval}};
    while (count < argument_count && !ax_str_eq(ax_str_of(arguments[count]), AX_STR("--")))
        count++;
    AX_TRY(ax_command_options(ctx, count, arguments, options, AX_COUNT_OF(options), &positional));
    if (positional.len || count + 1 >= argument_count)
        return ax_fail(ctx, AX_INVALID, "the program follows `--`: axiom run -- python train.py");
    double seconds = 0;
    out->interval_ns = SAMPLE_NS;
    if (out->interval.len) {
        if (!ax_parse_f64(out->interval, &seconds) || !(seconds >= 0.1) || seconds > 86'400)
            return ax_fail(ctx, AX_INVALID, "--interval is in seconds, from 0.1 on");
        out->interval_ns = (int64_t)(seconds * 1e9);
    }
    out->command = (const char *const *)(arguments + count + 1);
    out->command_count = (size_t)(argument_count - count - 1);
    return AX_OK;
}

static ax_status
run(struct ax_ctx *ctx, int argument_count, char **arguments, int *out_exit)
{
    struct wish wish = {.url = AX_STR(""),
                        .experiment = AX_STR(""),
                        .name = AX_STR(""),
                        .interval = AX_STR(""),
                        .environment = AX_STR("")};
    struct watched watched = {.wish = &wish, .output = ax_writer_of(OUTPUT_BYTES_MAX)};
    AX_TRY(read_wish(ctx, argument_count, arguments, &wish));
    ax_process_block_signals();
    signal(SIGPIPE, SIG_IGN);
    ax_auto(ax_arena_free) struct ax_arena *arena = ax_arena_new(TICK_ARENA_BYTES);
    if (!arena)
        return no_memory(ctx);
    watched.arena = arena;
    watched.next_upload_ns = ax_clock_monotonic_ns() + UPLOAD_NS;
    AX_TRY(ax_run_record_open(ctx, wish.url, &watched.record));
    ax_status status = begin(ctx, &watched);
    if (status == AX_OK)
        status = run_child(&watched, ctx, out_exit);
    ax_run_record_close(&watched.record);
    ax_writer_free(&watched.output);
    return status;
}

const struct ax_command ax_command_run = {
    .name = "run",
    .summary = "run a program as a run on a tracking server",
    .help =
        "usage: axiom run [options] -- PROGRAM [ARGUMENT ...]\n"
        "\n"
        "  --url URL          tracking server; MLFLOW_TRACKING_URI\n"
        "  --experiment NAME  made when it is new; MLFLOW_EXPERIMENT_ID or _NAME, else Default\n"
        "  --name NAME        of the run\n"
        "  --env A,B          more variables of the environment to note\n"
        "  --interval S       seconds between two looks at processor, memory, disk and\n"
        "                     network; 10\n"
        "\n"
        "Noted are its arguments, the git commit, what it prints (output.log, the first 8 MiB),\n"
        "what machine and process use (system/...) and how it ended: FINISHED, FAILED or\n"
        "KILLED. It sees MLFLOW_RUN_ID, so mlflow.start_run() goes on with this run. Values\n"
        "of names like password, token, secret or key are never noted. Signals are handed on\n"
        "to it, and its exit code is this program's.\n"
        "\n"
        "  axiom run --experiment credit -- python train.py --depth 3\n",
    .run_child = run,
};
