/*
 * One deployment, "loans": the small model decides about people, durably and with reasons. It gets
 * there as in life, by changes that somebody proposes and somebody else signs, so that no table is
 * written behind its owner's back.
 */
#pragma once

#include "mlops_case.h"

/* Who is decided about when a test asks for nothing else. */
#define DEPLOYED_CASE_FEATURES "{\"age\":41,\"income\":1200.5,\"job\":\"cook\"}"

static const char deployed_case_reasons[] =
    "{\"kind\":\"reason_map\",\"subject\":\"r\",\"change\":{\"reasons\":[{\"code\":\"R1\",\"text\":"
    "\"Age\",\"features\":[\"age\"]},{\"code\":\"R2\",\"text\":\"Income and job\",\"features\":"
    "[\"income\",\"job\"]}]}}";
static const char deployed_case_policy[] =
    "{\"kind\":\"policy\",\"subject\":\"p\",\"change\":{\"approve_below\":0.3,\"decline_from\":0.6,"
    "\"reason_map\":\"r\",\"explain\":\"always\",\"explanation\":\"path_dependent\","
    "\"out_of_domain\":\"refuse\"}}";
static const char deployed_case_deployment[] =
    "{\"kind\":\"deployment\",\"subject\":\"loans\",\"change\":{\"champion\":{\"model\":\"credit\","
    "\"version\":1},\"policy\":{\"name\":\"p\",\"version\":1},\"record\":\"durable\",\"tier\":2}}";

/* A bundle, not the bare file: its signature needs an age, and a sane one. lineage: JSON or "". */
static inline ax_status
deployed_case_bundle(struct ax_ctx *ctx, ax_str lineage, ax_str *out_container)
{
    ax_str model;
    struct ax_bundle bare, bundle;
    struct ax_signature *signature;
    const struct ax_json *json;
    AX_TRY(ax_file_read_all(ctx, AX_STR("tests/model/small/xgboost.json"), 1 << 20, &model));
    AX_TRY(ax_bundle_of_model(ctx, model, &bare));
    AX_TRY(ax_json_need_object(ctx, bare.json, "signature", &json));
    AX_TRY(ax_signature_parse(ctx, json, &signature));
    signature->features[0].missing_accepted = false;
    signature->features[0].min = 18;
    signature->features[0].max = 99;
    const struct ax_bundle_parts parts = {
        .files[AX_BUNDLE_MODEL] = model,
        .format = bare.format,
        .library = AX_STR("xgboost"),
        .signature = signature,
        .lineage = lineage,
    };
    AX_TRY(ax_bundle_make(ctx, &parts, &bundle));
    return ax_bundle_write(ctx, &bundle, out_container);
}

/* The people are hired already. */
static inline void
deployed_case_make(struct ax_ctx *ctx, struct mlops_case *at)
{
    struct ax_version_record record;
    ax_str bundle = AX_STR("");
    CHECK_EQ(mlops_case_create(ctx, at, "credit"), AX_OK);
    CHECK_EQ(deployed_case_bundle(ctx, AX_STR(""), &bundle), AX_OK);
    CHECK_EQ(ax_registry_register(at->registry, ctx, AX_STR("credit"), bundle, &record), AX_OK);
    mlops_case_move(ctx, at, "credit", AX_VERSION_APPROVED);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA, deployed_case_reasons), AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DANA, ADA, deployed_case_policy), AX_OK);
    CHECK_EQ(mlops_case_change(ctx, at, DEE, ADA, deployed_case_deployment), AX_OK);
}
