/* The kernels for AVX-512 (F, BW, DQ, VL); the loops are in the headers below. */
#include "engine/shap_decide_loop.h"
#include "engine/shap_level.h"
#include "engine/shap_node_loop.h"
#include "engine/shap_table_loop.h"

const struct ax_shap_level ax_shap_level_avx512 = {
    .name = "avx512",
    .level = AX_ENGINE_LEVEL_AVX512,
    .rows_min = 5,
    .bits = ax_shap_decide_bits,
    .words = ax_shap_decide_words,
    .table = ax_shap_table_row,
    .node_row = ax_shap_node_row,
    .node_rows = ax_shap_node_rows,
};
