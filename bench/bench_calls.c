/*
 * Calls a library's function many times, as a program that is written in C would.
 *
 * bench/engine_peers.py loads this and the libraries to be measured, and hands over what is called.
 * A call has integers and pointers alone; one of them, the rows, is another at each call, so that
 * no branch predictor learns a row by heart. Arguments that a function does not have are passed
 * nonetheless, in registers or on the caller's stack, where both ABIs (System V and AAPCS64) let
 * them lie: so one loop serves every library.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { ARGUMENTS = 12 };

#define EXPORTED __attribute__((visibility("default")))

struct ax_bench_call {
    intptr_t (*function)(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t,
                         intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);
    intptr_t arguments[ARGUMENTS];
    const intptr_t *turns; /* what the changing argument is, one after the other */
    int64_t turn_count;
    int64_t changing; /* place of that argument */
};

struct ax_bench_linear {
    const double *weights;
    int64_t count;
    double bias;
};

struct ax_bench_scorecard {
    const double *edges;  /* upper ends of each column's bins but the last */
    const double *values; /* of each column's bins */
    int64_t count, bins;
    double bias;
};

EXPORTED int64_t ax_bench_calls(struct ax_bench_call *call, int64_t times);
EXPORTED intptr_t ax_bench_logistic(const struct ax_bench_linear *model, const double *row,
                                    double *out);
EXPORTED intptr_t ax_bench_scorecard(const struct ax_bench_scorecard *model, const double *row,
                                     double *out);

/* Nanoseconds of the processor that so many calls take: what others did on it does not count. */
int64_t
ax_bench_calls(struct ax_bench_call *call, int64_t times)
{
    intptr_t *a = call->arguments;
    clock_t begin = clock();
    for (int64_t i = 0, turn = 0; i < times; i++) {
        a[call->changing] = call->turns[turn];
        call->function(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11]);
        turn = turn + 1 == call->turn_count ? 0 : turn + 1;
    }
    return (int64_t)(clock() - begin) * (1'000'000'000 / CLOCKS_PER_SEC);
}

/* What one would write by hand: the floor of a linear model. */
intptr_t
ax_bench_logistic(const struct ax_bench_linear *model, const double *row, double *out)
{
    double sum = model->bias;
    for (int64_t i = 0; i < model->count; i++)
        sum += model->weights[i] * row[i];
    *out = 1 / (1 + exp(-sum));
    return 0;
}

/* The same of a scorecard: the first bin whose upper end is not below the value. */
intptr_t
ax_bench_scorecard(const struct ax_bench_scorecard *model, const double *row, double *out)
{
    double sum = model->bias;
    for (int64_t i = 0; i < model->count; i++) {
        int64_t bin = 0;
        while (bin + 1 < model->bins && row[i] > model->edges[i * (model->bins - 1) + bin])
            bin++;
        sum += model->values[i * model->bins + bin];
    }
    *out = 1 / (1 + exp(-sum));
    return 0;
}
