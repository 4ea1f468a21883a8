/*
 * Golden cases of models that compute in float64: every answer of the engine against the library's.
 *
 * What is compared, and how closely, is the caller's; what holds for any model is checked beside
 * it: contributions add up, a row's answer does not depend on its neighbours or its layout.
 */
#pragma once

#include "model_case.h"

struct golden_rule {
    const char *files[3];  /* of a case; those that are there, at least one; NULL ends the list */
    double margin;         /* relative; 0: bit for bit */
    int64_t response_ulps; /* of float64; -1: by `response` */
    int64_t softmax_ulps;  /* where there are several responses */
    double response;       /* relative */
    double contributions;  /* relative to the largest of the row */
    bool if_additive;   /* only rows whose contributions add up to the margin in the library too */
    bool response_last; /* the library gives more columns: the last one is compared */
};

/* Checks every case of a folder; the number of them. */
size_t golden_case_check(const char *folder, const struct golden_rule *rule);

/* The same where the folder may not be there, which is said. */
void golden_case_check_shared(const char *folder, const struct golden_rule *rule,
                              size_t cases_least);

/*
 * Every file of the malformed set whose format begins with `format` is refused in one sentence
 * within a second and 256 MB; refused_least of them. control: the file to be accepted.
 */
void golden_case_check_malformed(const char *format, const char *control, size_t refused_least);

/* Every prefix of a file, step apart: refused with a sentence, or (from `whole` on) accepted. */
void golden_case_check_prefixes(struct ax_ctx *ctx, ax_str bytes, size_t step, size_t whole);
