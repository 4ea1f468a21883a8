#include "base/assert.h"
#include "learner/learner.h"
#include "sys/file.h"
#include "sys/process.h"

enum { JOB_BYTES_MAX = 1 << 20, RESULT_BYTES_MAX = 64 << 20, OUTPUT_BYTES_MAX = 64 << 10 };
enum { THREADS_MAX = 1'024 };

static const size_t FRAME_BYTES_MAX = (size_t)4 << 30;
static const size_t MODEL_BYTES_MAX = (size_t)1 << 30;

/* ---- the job: what parent and child leave for each other in a folder ---- */

static ax_status
path_in(struct ax_ctx *ctx, ax_str folder, const char *name, ax_str *out_path)
{
    *out_path = ax_path_join(ctx->arena, folder, ax_str_of(name));
    return out_path->at ? AX_OK : ax_fail(ctx, AX_LIMIT, "no memory for a path");
}

static ax_status
write_file(struct ax_ctx *ctx, ax_str folder, const char *name, ax_str bytes)
{
    ax_str path = {};
    AX_TRY(path_in(ctx, folder, name, &path));
    return ax_file_write_atomic(ctx, path, bytes);
}

static ax_status
read_file(struct ax_ctx *ctx, ax_str folder, const char *name, size_t bytes_max, ax_str *out_bytes)
{
    ax_str path = {};
    AX_TRY(path_in(ctx, folder, name, &path));
    return ax_file_read_all(ctx, path, bytes_max, out_bytes);
}

static ax_status
write_frame(struct ax_ctx *ctx, ax_str folder, const char *name, const struct ax_frame *frame)
{
    ax_str bytes = {};
    AX_TRY(ax_frame_encode(ctx, frame, &bytes));
    return write_file(ctx, folder, name, bytes);
}

static ax_status
write_job(struct ax_ctx *ctx, const struct ax_learner_run *run,
          const struct ax_learner_input *input)
{
    AX_TRY(write_frame(ctx, run->folder, "train.rows", input->train));
    if (input->validation)
        AX_TRY(write_frame(ctx, run->folder, "validation.rows", input->validation));
    ax_writer_auto struct ax_writer text = ax_writer_of(JOB_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_i64(&json, "axiom_job", 1);
    ax_json_member_text(&json, "learner", run->learner);
    ax_json_key(&json, "seed");
    ax_json_put_u64(&json, input->seed);
    ax_json_member_i64(&json, "threads", input->thread_count);
    ax_json_member_bool(&json, "validation", input->validation != NULL);
    if (input->parameters) {
        ax_json_key(&json, "parameters");
        ax_json_put(&json, input->parameters);
    }
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, text.status, "the job is too large");
    return write_file(ctx, run->folder, "job.json", ax_writer_str(&text));
}

/* ---- the child ---- */

static ax_status
read_frame(struct ax_ctx *ctx, ax_str folder, const char *name, struct ax_frame *out_frame)
{
    ax_str bytes = {};
    AX_TRY(read_file(ctx, folder, name, FRAME_BYTES_MAX, &bytes));
    ax_status status = ax_frame_decode(ctx, bytes, out_frame);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "%s", name);
}

static ax_status
run_job(struct ax_ctx *ctx, ax_str folder, const struct ax_json *job,
        struct ax_learner_result *out_result)
{
    int64_t version = 0, threads = 0;
    bool has_validation = false;
    ax_str learner = {};
    struct ax_learner_input input = {.parameters = ax_json_find(job, "parameters")};
    AX_TRY(ax_json_need_i64(ctx, job, "axiom_job", &version));
    AX_TRY(ax_json_need_text(ctx, job, "learner", &learner));
    AX_TRY(ax_json_need_i64(ctx, job, "threads", &threads));
    AX_TRY(ax_json_need_bool(ctx, job, "validation", &has_validation));
    if (version != 1)
        return ax_fail(ctx, AX_UNSUPPORTED, "`axiom_job` must be 1, not %lld", (long long)version);
    if (threads < 1 || threads > THREADS_MAX)
        return ax_fail(ctx, AX_INVALID, "`threads` must be 1 to %d", THREADS_MAX);
    if (!ax_json_u64(ax_json_find(job, "seed"), &input.seed))
        return ax_fail(ctx, AX_INVALID, "`seed` must be a whole number from 0 to 2^64 - 1");
    input.thread_count = (int)threads;
    struct ax_frame train = {}, validation = {};
    AX_TRY(read_frame(ctx, folder, "train.rows", &train));
    input.train = &train;
    if (has_validation) {
        AX_TRY(read_frame(ctx, folder, "validation.rows", &validation));
        input.validation = &validation;
    }
    return ax_learner_train(ctx, learner, &input, out_result);
}

/* How it ended: the status by its name, then what belongs to it. */
static ax_status
write_result(struct ax_ctx *ctx, ax_str folder, ax_status status,
             const struct ax_learner_result *result)
{
    ax_writer_auto struct ax_writer text = ax_writer_of(RESULT_BYTES_MAX);
    struct ax_json_writer json = ax_json_writer_of(&text);
    ax_json_begin_object(&json);
    ax_json_member_text(&json, "status", ax_str_of(ax_status_name(status)));
    if (status == AX_OK) {
        ax_json_member_text(&json, "format", result->format);
        ax_json_member_text(&json, "library", result->library);
        ax_json_key(&json, "report");
        ax_json_put_raw(&json, result->report);
        ax_json_key(&json, "probe_margins");
        ax_json_begin_array(&json);
        for (size_t i = 0; i < result->probe_count; i++)
            ax_json_put_f64(&json, result->probe_margins[i]);
        ax_json_end_array(&json);
    } else {
        ax_json_member_text(&json, "error", ax_str_of(ctx->error));
    }
    ax_json_end_object(&json);
    if (text.status != AX_OK)
        return ax_fail(ctx, text.status, "the result is too large");
    return write_file(ctx, folder, "result.json", ax_writer_str(&text));
}

ax_status
ax_learner_child(struct ax_ctx *ctx, ax_str job_path)
{
    ax_str folder = ax_path_folder(job_path), text = {};
    const struct ax_json *job = NULL;
    struct ax_learner_result result = {};
    AX_TRY(ax_file_read_all(ctx, job_path, JOB_BYTES_MAX, &text));
    ax_status status = ax_json_parse(ctx, text, NULL, &job);
    if (status != AX_OK)
        status = ax_explain(ctx, status, "job.json");
    if (status == AX_OK)
        status = run_job(ctx, folder, job, &result);
    if (status == AX_OK)
        status = write_file(ctx, folder, "model", result.model);
    ax_status written = write_result(ctx, folder, status, &result);
    return status == AX_OK ? written : status;
}

/* ---- the parent ---- */

static ax_status
status_of_name(ax_str name)
{
    static const ax_status statuses[] = {
#define X(word, http, grpc, retry, meaning) AX_##word,
        AX_STATUS_MAP(X)
#undef X
    };
    for (size_t i = 0; i < AX_COUNT_OF(statuses); i++) {
        if (ax_str_eq(ax_str_of(ax_status_name(statuses[i])), name))
            return statuses[i];
    }
    return AX_INTERNAL;
}

/* How many threads OpenMP may start, and that they do not spin: read when libgomp is loaded. */
static ax_status
start(struct ax_ctx *ctx, const struct ax_learner_run *run, int thread_count,
      struct ax_process_result *out_ended)
{
    size_t count = 0;
    while (run->command[count])
        count++;
    const char **arguments = AX_NEW_ARRAY(ctx->arena, const char *, count + 2);
    ax_str job = {}, threads = ax_str_printf(ctx->arena, "OMP_NUM_THREADS=%d", thread_count);
    ax_str limit = ax_str_printf(ctx->arena, "OMP_THREAD_LIMIT=%d", thread_count);
    if (!arguments || !threads.at || !limit.at)
        return ax_fail(ctx, AX_LIMIT, "no memory to start a child");
    for (size_t i = 0; i < count; i++)
        arguments[i] = run->command[i];
    AX_TRY(path_in(ctx, run->folder, "job.json", &job));
    arguments[count] = ax_str_c(ctx->arena, job);
    if (!arguments[count])
        return ax_fail(ctx, AX_LIMIT, "no memory to start a child");
    const char *environment[] = {"OMP_WAIT_POLICY=passive", threads.at, limit.at, NULL};
    const struct ax_process_config config = {.arguments = arguments,
                                             .environment = environment,
                                             .timeout_ms = run->timeout_ms,
                                             .memory_bytes_max = run->memory_bytes_max,
                                             .cpu_seconds_max =
                                                 (run->timeout_ms / 1'000 + 1) * thread_count,
                                             .output_bytes_max = OUTPUT_BYTES_MAX};
    ax_status status = ax_process_run(ctx, &config, out_ended);
    return status == AX_OK ? AX_OK : ax_explain(ctx, status, "training");
}

static ax_status
read_margins(struct ax_ctx *ctx, const struct ax_json *json, struct ax_learner_result *result)
{
    const struct ax_json *margins = NULL;
    AX_TRY(ax_json_need_array(ctx, json, "probe_margins", &margins));
    double *values = AX_NEW_ARRAY(ctx->arena, double, ax_json_count(margins) + 1);
    if (!values)
        return ax_fail(ctx, AX_LIMIT, "no memory for %zu margins", ax_json_count(margins));
    struct ax_json_iter iter = ax_json_iter_of(margins);
    while (ax_json_next(&iter)) {
        if (!ax_json_f64(iter.value, &values[iter.index]))
            return ax_fail(ctx, AX_INTERNAL, "margin %zu of the model is not finite", iter.index);
    }
    result->probe_margins = values;
    result->probe_count = ax_json_count(margins);
    return AX_OK;
}

static ax_status
died(struct ax_ctx *ctx, const struct ax_process_result *ended)
{
    ax_str errors = ax_str_trim(ended->errors);
    size_t shown = errors.len < 200 ? errors.len : 200;
    return ax_fail(ctx, AX_INTERNAL, "the training process ended with exit code %d: %.*s",
                   ended->exit_code, (int)shown, errors.at);
}

static ax_status
read_result(struct ax_ctx *ctx, ax_str folder, const struct ax_process_result *ended,
            struct ax_learner_result *out_result)
{
    ax_str text = {}, status_name = {}, error = {};
    const struct ax_json *json = NULL, *report = NULL;
    if (read_file(ctx, folder, "result.json", RESULT_BYTES_MAX, &text) != AX_OK)
        return died(ctx, ended);
    AX_TRY(ax_json_parse(ctx, text, NULL, &json));
    AX_TRY(ax_json_need_text(ctx, json, "status", &status_name));
    ax_status status = status_of_name(status_name);
    if (status != AX_OK) {
        AX_TRY(ax_json_need_text(ctx, json, "error", &error));
        return ax_fail(ctx, status, "%.*s", AX_FMT(error));
    }
    if (ended->exit_code != 0)
        return died(ctx, ended);
    struct ax_learner_result result = {};
    AX_TRY(ax_json_need_text(ctx, json, "format", &result.format));
    AX_TRY(ax_json_need_text(ctx, json, "library", &result.library));
    AX_TRY(ax_json_need_object(ctx, json, "report", &report));
    AX_TRY(read_margins(ctx, json, &result));
    ax_writer_auto struct ax_writer report_text = ax_writer_of(RESULT_BYTES_MAX);
    ax_json_print(report, &report_text);
    AX_TRY(ax_writer_take(&report_text, ctx->arena, &result.report));
    AX_TRY(read_file(ctx, folder, "model", MODEL_BYTES_MAX, &result.model));
    *out_result = result;
    return AX_OK;
}

static ax_status
run_in(struct ax_ctx *ctx, const struct ax_learner_run *run, const struct ax_learner_input *input,
       struct ax_learner_result *out_result)
{
    struct ax_process_result ended = {};
    AX_TRY(write_job(ctx, run, input));
    AX_TRY(start(ctx, run, input->thread_count, &ended));
    return read_result(ctx, run->folder, &ended, out_result);
}

ax_status
ax_learner_run(struct ax_ctx *ctx, const struct ax_learner_run *run,
               const struct ax_learner_input *input, struct ax_learner_result *out_result)
{
    AX_ASSERT(input->thread_count > 0 && input->thread_count <= THREADS_MAX && run->command[0]);
    if (!ax_learner_find(run->learner))
        return ax_fail(ctx, AX_NOT_FOUND, "there is no learner `%.*s`", AX_FMT(run->learner));
    if (ax_file_exists(run->folder)) /* what an earlier run left must not be taken for an answer */
        return ax_fail(ctx, AX_CONFLICT, "%.*s exists already", AX_FMT(run->folder));
    struct ax_learner_result result = {};
    ax_status status = ax_file_make_folders(ctx, run->folder);
    if (status == AX_OK)
        status = run_in(ctx, run, input, &result);
    /* The rows are people's: they do not stay, however it went. */
    struct ax_ctx tidying = ax_ctx_of(ctx->arena);
    ax_status removed = ax_file_remove_tree(&tidying, run->folder);
    if (status == AX_OK && removed != AX_OK)
        return ax_fail(ctx, removed, "the job's files stay behind: %s", tidying.error);
    if (status == AX_OK)
        *out_result = result;
    return status;
}
