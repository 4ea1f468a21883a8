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

TEST(lightgbm_4_7_golden_cases_are_bit_equal)
{
    golden_case_check_shared("../shared/models/lightgbm-4.7.0", &rule, 34);
}

TEST(lightgbm_malformed_files_are_refused)
{
    golden_case_check_malformed("lightgbm", "control_valid.txt", 19);
}
