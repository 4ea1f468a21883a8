#!/usr/bin/env python3
"""Proves that each rule of tidy.py can fire, and that a tidy tree is left in peace."""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import tidy

BUILD = """layers = [
  ['base'],
  ['sys'],
  ['net', 'store'],
]
"""
HEADER = "/*\n * What this is.\n */\n#pragma once\n\nvoid ax_%s_go(void);\n"
MODULE = '#include "%s/%s.h"\n\nvoid\nax_%s_go(void)\n{\n}\n'
TEST = '#include "%s/%s.h"\n\n#include "harness.h"\n'


def module(folder, name, body=None, header=None):
    """The three files of a module, as a small tidy tree has them."""
    return {f"src/{folder}/{name}.h": header or HEADER % name,
            f"src/{folder}/{name}.c": body or MODULE % (folder, name, name),
            f"src/{folder}/{name}_test.c": TEST % (folder, name)}


def tree(files):
    """A tidy tree of four modules, with some of its files replaced or added."""
    whole = {"meson.build": BUILD}
    for folder, name in (("base", "str"), ("sys", "file"), ("net", "loop"), ("store", "store")):
        whole |= module(folder, name)
    whole |= files
    listed = {}
    for path in whole:
        parts = path.split("/")
        if parts[0] == "src" and path.endswith(".c"):
            listed.setdefault(parts[1], []).append(f"'{parts[2]}'")
    for folder, names in listed.items():
        whole.setdefault(f"src/{folder}/meson.build", f"sources = files({', '.join(names)})\n")
    return {path: text for path, text in whole.items() if text is not None}


@contextlib.contextmanager
def on_disk(files):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for path, text in tree(files).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        yield root


def function(body, name="ax_file_go", head="void"):
    return f'#include "sys/file.h"\n\n{head}\n{name}\n{{\n{body}}}\n' if "(" in name else \
        f'#include "sys/file.h"\n\n{head}\n{name}(void)\n{{\n{body}}}\n'


def in_file(body, **options):
    return {"src/sys/file.c": function(body, **options)}


def calls(*words):
    return [(f"a call of {word}", in_file(f"    {word}(1);\n"), f"src/sys/file.c:6: {word} ")
            for word in words]


CASES = [
    # the layers
    ("a folder above", {"src/sys/file.c": '#include "sys/file.h"\n\n#include "net/loop.h"\n'},
     "src/sys/file.c:3: sys may not use net"),
    ("a neighbour", {"src/net/loop.c": '#include "net/loop.h"\n\n#include "store/store.h"\n'},
     "src/net/loop.c:3: net may not use store"),
    ("a neighbour, by the test", {"src/net/loop_test.c": '#include "store/store.h"\n'},
     "src/net/loop_test.c:1: net may not use store"),
    ("a folder in no layer", module("extra", "thing"),
     "src/extra/thing.c:1: extra is in no layer"),
    ("an include of a folder in no layer", {"src/sys/file.c": '#include "other/x.h"\n'},
     "src/sys/file.c:1: \"other/x.h\": other is in no layer"),
    ("an include without its folder", {"src/sys/file.c": '#include "file.h"\n'},
     'src/sys/file.c:1: "file.h" is not written from src/'),
    # sizes
    ("a long file", {"src/sys/file.c": '#include "sys/file.h"\n' + "\n" * 800},
     "src/sys/file.c:801: the file has 801 lines"),
    ("a long line", {"src/sys/file.c": "/* " + "x" * 96 + " */\n"},
     "src/sys/file.c:1: the line has 102 columns"),
    ("a long function", in_file("    ;\n" * 71), "src/sys/file.c:4: ax_file_go has 71 lines"),
    ("many parameters", in_file("", name="ax_file_go(int a, int b, int (*c)(int, int), int d,\n"
                                         "           int e, int f, int g)"),
     "src/sys/file.c:4: ax_file_go(" [:-1] + " has 7 parameters"),
    ("deep nesting", in_file("".join("    " * n + "if (x)\n" for n in range(1, 6))),
     "src/sys/file.c:10: nested 5 deep in ax_file_go"),
    ("many ways through", in_file("    if (a && b && c)\n        ;\n" * 5),
     "src/sys/file.c:4: ax_file_go has 16 ways through"),
    # headers and includes
    ("a header that says nothing", {"src/sys/file.h": "#pragma once\n"},
     "src/sys/file.h:1: a header begins with a comment"),
    ("a header without pragma", {"src/sys/file.h": "/* What. */\n"},
     "src/sys/file.h:1: #pragma once is missing"),
    ("a macro without prefix", {"src/sys/file.h": "/* W. */\n#pragma once\n#define SIZE 1\n"},
     "src/sys/file.h:3: the macro SIZE"),
    ("a type without prefix", {"src/sys/file.h": "/* W. */\n#pragma once\nstruct file {\n};\n"},
     "src/sys/file.h:3: file crosses files"),
    ("the own header not first",
     {"src/sys/file.c": '#include <stdio.h>\n\n#include "base/str.h"\n#include "sys/file.h"\n'},
     'src/sys/file.c:1: the own header "sys/file.h" is included first'),
    ("unsorted includes", {"src/sys/file.c": "#include <string.h>\n#include <stdio.h>\n"},
     "src/sys/file.c:1: the includes of this group are not sorted"),
    ("mixed includes", {"src/sys/file.c": '#include <stdio.h>\n#include "base/str.h"\n'},
     "src/sys/file.c:1: our headers and others stand in groups of their own"),
    ("C after ours", {"src/sys/file.c": '#include "base/str.h"\n\n#include <stdio.h>\n'},
     "src/sys/file.c:3: C's headers and libraries' come before ours"),
    ("a library nobody has a home for", {"src/sys/file.c": "#include <foo/foo.h>\n"},
     "src/sys/file.c:1: <foo/foo.h> is a library's"),
    ("a library's header away from home", {"src/sys/file.c": "#include <sqlite3.h>\n"},
     "src/sys/file.c:1: <sqlite3.h> belongs to store/sqlite"),
    ("OpenSSL away from home", {"src/sys/file.c": "#include <openssl/evp.h>\n"},
     "src/sys/file.c:1: <openssl/evp.h> belongs to sys/crypto"),
    # calls
    *calls(*tidy.BANNED),
    *calls(*(word for home in tidy.CALLS_ONLY for word in tidy.HOMES[home][2].split()
             if not word.endswith("*") and home != "processes")),
    *calls("fork", "uv_run", "llhttp_execute", "curl_easy_init", "sqlite3_open", "mdb_put",
           "yyjson_read", "yaml_parser_parse", "ZSTD_compress", "EVP_DigestInit", "XGBoosterCreate",
           "crypto_sign_detached", "argon2id_hash_encoded", "randombytes_buf"),
    ("errno below its home", {"src/base/str.c": '#include "base/str.h"\n\nint ax_x = errno;\n'},
     "src/base/str.c:3: errno belongs to sys/ and net/"),
    ("an atomic", {"src/net/loop.c": "static _Atomic int x;\n"},
     "src/net/loop.c:1: _Atomic belongs to base/ and sys/"),
    ("a library's type", {"src/sys/file.c": "static sqlite3_stmt *x;\n"},
     "src/sys/file.c:1: sqlite3_stmt belongs to store/sqlite"),
    # names and text
    ("an exported name without prefix", in_file("", name="go"),
     "src/sys/file.c:4: go crosses a file"),
    ("a static name with prefix", in_file("", head="static void"),
     "src/sys/file.c:4: ax_file_go is static"),
    ("a name of another file", in_file("", name="ax_loop_go"),
     "src/sys/file.c:4: ax_loop_go: the word after ax_ names neither"),
    ("a tab", {"src/sys/file.c": "\t;\n"}, "src/sys/file.c:1: a tab"),
    ("space at the end", {"src/sys/file.c": "; \n"}, "src/sys/file.c:1: white space at the end"),
    *(("unfinished business", {"src/sys/file.c": f"/* {word}: later */\n"},
       "src/sys/file.c:1: unfinished business")
      for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")),
    # the tree
    ("a name twice", module("net", "file"), "src/sys/file.c:1: the name is taken by src/net/file.c"),
    ("no test", {"src/sys/file_test.c": None}, "src/sys/file.c:1: no test: src/sys/file_test.c"),
    ("a file that is not built", {"src/sys/meson.build": "sources = files('file.c')\n"},
     "src/sys/file_test.c:1: not listed in src/sys/meson.build"),
    ("a contract that is not built", {"tests/contract/kv_contract.c": ""},
     "tests/contract/kv_contract.c:1: not listed in tests/contract/meson.build"),
    ("no seeds", {"src/sys/file_fuzz.c": ""},
     "src/sys/file_fuzz.c:1: no seeds: tests/corpus/file is missing"),
]

PEACE = [
    ("a tidy tree", {}),
    ("a word in a comment", in_file("    /* never strcpy(a, b) or malloc() */\n")),
    ("a word in a string", in_file('    ax_file_say("printf(now)");\n')),
    ("a digit separator", in_file("    int x = 1'000, y = 2'000;\n    (void)(x + y);\n")),
    ("a member of that name", in_file("    ops->free(x);\n    ops.time(x);\n")),
    ("a longer word", in_file("    my_malloc(x);\n    timer(x);\n")),
    ("its own object", {"src/sys/file.h": HEADER % "file" + "struct ax_map {\n    int x;\n};\n",
                        **in_file("", name="ax_map_go")}),
    ("an X-macro", {"src/sys/file.h": HEADER % "file" + "#define X(a) a\n#undef X\n"}),
    ("a library at home", {**module("store", "sqlite", '#include "store/sqlite.h"\n\n'
                                    "#include <sqlite3.h>\n")}),
    ("a part of a module", {"src/sys/file_map.c": '#include "sys/file.h"\n'}),
    ("errno at home", in_file("    return errno;\n")),
    ("a port with a contract", {"src/store/store_test.c": None,
                                "tests/contract/store_contract.c": "",
                                "tests/contract/meson.build": "files('store_contract.c')\n"}),
    ("a fuzz target with seeds", {"src/sys/file_fuzz.c": "", "tests/corpus/file/one": "x"}),
    ("what tests share", {"src/sys/file_test.c": '#include "cases.h"\n',
                          "tests/cases.h": "/* Cases. */\n#pragma once\n"}),
    ("six parameters", in_file("", name="ax_file_go(int a, int b, int c, int d, int e, int f)")),
]

# Read from object files: what a macro hides from the sources, and what only the whole build knows.
CALLER = '#include "sys/file.h"\n\nvoid *NAME(long);\n\nvoid\nax_file_go(void)\n{\n    NAME(1);\n}\n'
HIDDEN = CALLER.replace("NAME", "HIDE(mal, loc)").replace(
    "\n\nvoid *", "\n\n#define HIDE(a, b) a##b\nvoid *", 1)
SYMBOL_CASES = [
    ("a hidden call", {"src/sys/file.c": HIDDEN}, "malloc belongs to base/alloc"),
    ("a hidden banned call",
     {"src/sys/file.c": HIDDEN.replace("HIDE(mal, loc)", "HIDE(str, tok)")}, "strtok is banned"),
    ("a symbol of a higher layer", {"src/sys/file.c": CALLER.replace("NAME", "ax_loop_go")},
     "ax_loop_go lies in net, which sys may not use"),
    ("an export that nobody uses", {}, "nobody else uses ax_store_go: make it static"),
    ("an export without prefix", {"src/sys/file.c": '#include "sys/file.h"\n\nint go = 1;\n'},
     "go is exported and does not begin with ax_"),
]


def compiled(root):
    """Compiles the .c files that need no harness, and says so as meson would."""
    entries = []
    for path in sorted((root / "src").rglob("*.c")):
        if path.stem.endswith("_test"):
            continue
        output = path.with_suffix(".o").name
        subprocess.run(["cc", "-std=gnu2x", "-w", "-O0", "-fno-builtin", "-I", root / "src", "-c",
                        path, "-o", root / output], check=True)
        entries.append({"directory": str(root), "file": str(path), "output": output})
    (root / "compile_commands.json").write_text(json.dumps(entries))
    return root


def faults(files, symbols=False):
    with on_disk(files) as root:
        found, _ = tidy.faults_of(root, compiled(root) if symbols else None)
        return [f"{path}:{line}: {what}" for path, line, what in found]


def main():
    outcomes = []
    for name, files, want in CASES:
        found = faults(files)
        outcomes.append((f"finds: {name}", any(want in fault for fault in found), found, want))
    for name, files in PEACE:
        found = faults(files)
        outcomes.append((f"leaves in peace: {name}", not found, found, "nothing"))
    for name, files, want in SYMBOL_CASES:
        found = faults(files, symbols=True)
        outcomes.append((f"finds by symbols: {name}", any(want in f for f in found), found, want))
    for name, ok, found, want in outcomes:
        if not ok:
            print(f"wanted: {want}\n" + "\n".join(f"found: {fault}" for fault in found))
        print(f"{'ok    ' if ok else 'FAILED'} {name.replace(' ', '_')}")
    failed = sum(not ok for _, ok, _, _ in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
