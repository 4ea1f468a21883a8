#include "engine/lightgbm.h"

#include "engine/engine.h"
#include "golden_case.h"
#include "harness.h"

static const struct golden_rule rule = {
    .files = {"model.txt", "model_all_iterations.txt"},
    .response_ulps = 1,
    .softmax_ulps = 4,
    .contributions = 1e-9,
};

static const char *const small_sets[] = {"tests/model/lightgbm-4.7.0", "tests/model/lightgbm-3.0.0",
                                         "tests/model/lightgbm-2.2.3"};

TEST(lightgbm_golden_cases_with_the_sources_are_bit_equal)
{
    for (size_t i = 0; i < AX_COUNT_OF(small_sets); i++)
        CHECK(golden_case_check(small_sets[i], &rule) > 0);
}

TEST(lightgbm_4_7_golden_cases_are_bit_equal)
{
    golden_case_check_shared("../shared/models/lightgbm-4.7.0", &rule, 34);
}

TEST(lightgbm_malformed_files_are_refused)
{
    golden_case_check_malformed("lightgbm", "control_valid.txt", 19);
}
