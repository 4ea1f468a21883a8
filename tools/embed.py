#!/usr/bin/env python3
"""Turns files into a C array of structs of name and bytes: embed.py OUTPUT HEADER STRUCT FILE..."""
import os
import sys


def rows(data):
    for start in range(0, len(data), 24):
        yield "    " + ", ".join(f"0x{byte:02x}" for byte in data[start:start + 24]) + ","


def main():
    output, header, struct, files = *sys.argv[1:4], sorted(sys.argv[4:])
    text = [f'#include "{header}"', ""]
    entries = []
    for number, path in enumerate(files):
        with open(path, "rb") as file:
            data = file.read()
        text += [f"static const unsigned char file_{number}[] = {{", *rows(data), "};"]
        name = os.path.basename(path)
        entries.append(f'    {{{{"{name}", {len(name)}}}, {{(const char *)file_{number}, {len(data)}}}}},')
    text += ["", f"const struct {struct} {struct}s[] = {{", *entries, "};",
             f"const size_t {struct}_count = {len(files)};", ""]
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(text))


main()
