#include "engine/onnx_fuse.h"

#include "engine/onnx.h"
#include "harness.h"
#include "onnx_case.h"

TEST(onnx_fuse_placeholder)
{
    CHECK(true);
}
