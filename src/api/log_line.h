/*
 * What the lines of the access log and of the payload log have in common: which requests are in
 * them, and the names they begin with.
 *
 * A request is in by a hash of its id alone, so that all servers it passes keep it or none, and so
 * that a line of one log finds its line in the other.
 */
#pragma once

#include "codec/json.h"

struct ax_seen;

/* A share of the requests, 0 to 1, as ax_log_line_keeps takes it. */
uint64_t ax_log_line_threshold(double ratio);
bool ax_log_line_keeps(uint64_t threshold, ax_str request_id);

/* A member with a text, unless that is "". */
void ax_log_line_text(struct ax_json_writer *json, const char *key, ax_str value);

/* time, request_id, trace_id. */
void ax_log_line_begin(struct ax_json_writer *json, const struct ax_seen *seen);

/* protocol, method and route or service and method; model, version, deployment; status. */
void ax_log_line_asked(struct ax_json_writer *json, const struct ax_seen *seen);
void ax_log_line_answered(struct ax_json_writer *json, const struct ax_seen *seen);
