#!/usr/bin/env python3
"""Turns files into a C array of struct ax_migrate_file: embed.py OUTPUT FILE..."""
import os
import sys


def rows(data):
    for start in range(0, len(data), 24):
        yield "    " + ", ".join(f"0x{byte:02x}" for byte in data[start:start + 24]) + ","


def main():
    output, files = sys.argv[1], sorted(sys.argv[2:])
    text = ['#include "store/migrate.h"', ""]
    entries = []
    for number, path in enumerate(files):
        with open(path, "rb") as file:
            data = file.read()
        text += [f"static const unsigned char file_{number}[] = {{", *rows(data), "};"]
        name = os.path.basename(path)
        entries.append(f'    {{{{"{name}", {len(name)}}}, {{(const char *)file_{number}, {len(data)}}}}},')
    text += ["", "const struct ax_migrate_file ax_migrate_files[] = {", *entries, "};",
             f"const size_t ax_migrate_file_count = {len(files)};", ""]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(text))


main()
