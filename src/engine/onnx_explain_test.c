#include "engine/onnx_explain.h"

#include "harness.h"
#include "model_case.h"

TEST(onnx_explain_first)
{
    CHECK(true);
}
