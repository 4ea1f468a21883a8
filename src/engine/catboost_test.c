#include "engine/catboost.h"

#include "engine/engine.h"
#include "golden_case.h"
#include "harness.h"

static const struct golden_rule rule = {
    .files = {"model.json"},
    .margin = 1e-12,
    .response_ulps = -1,
    .response = 1e-12,
    .contributions = 1e-6,
    .if_additive = true, /* CatBoost's own, of trees that are not oblivious, often do not */
    .response_last = true,
};

TEST(catboost_golden_cases_with_the_sources_are_equal_to_twelve_digits)
{
    CHECK(golden_case_check("tests/model/catboost-1.2.10", &rule) > 0);
}

TEST(catboost_1_2_golden_cases_are_equal_to_twelve_digits)
{
    golden_case_check_shared("../shared/models/catboost-1.2.10", &rule, 6);
}
