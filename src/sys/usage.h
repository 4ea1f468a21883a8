/*
 * What a machine and one of its processes use: processor, memory, disk, network, from /proc.
 *
 * Rates need two looks: a usage holds what the last one saw. Values that this system does not
 * tell are not a number.
 */
#pragma once

#include <stdint.h>

#include "base/ctx.h"

struct ax_usage {
    double cpu_percent;      /* of all processors since the last look */
    double memory_megabytes; /* in use: not available to others */
    double memory_percent;
    double disk_megabytes; /* used, where `path` is */
    double disk_percent;
    double disk_available_megabytes;
    double receive_megabytes; /* by the network since the first look, loopback aside */
    double transmit_megabytes;
    double process_cpu_percent;      /* of one processor: 200 is two of them; since the last look */
    double process_memory_megabytes; /* resident */

    uint64_t busy_, total_, process_ticks_, received_, sent_; /* of the last, and first, look */
    int64_t looked_ns_;
};

/* Looks again. usage: zeroed before the first time. path: of the disk that counts. */
void ax_usage_look(struct ax_usage *usage, int pid, const char *path);
