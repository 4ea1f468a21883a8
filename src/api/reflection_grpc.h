/*
 * The descriptions of the gRPC services, as protoc makes them; embedded at build.
 */
#pragma once

#include "base/str.h"

struct ax_reflection_file {
    ax_str name;
    ax_str bytes; /* a FileDescriptorSet of one file */
};

extern const struct ax_reflection_file ax_reflection_files[];
extern const size_t ax_reflection_file_count;
