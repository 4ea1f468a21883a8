#!/usr/bin/env python3
"""Holds the code against docs/style.md: the rules that a compiler does not know.

usage: tidy.py [--symbols BUILD_DIR] [ROOT]

Without options everything is read from the sources, in a second or two. With --symbols, the
object files of a build made with -O0 -fno-builtin are read as well: no macro hides a call there.
A fault is one line, "file:line: what is wrong and what is wanted"; the exit code says if any.
"""
import argparse
import ast
import bisect
import json
import pathlib
import re
import subprocess
import sys

FILE_LINES_MAX, FUNCTION_LINES_MAX, PARAMETERS_MAX, COLUMNS_MAX = 800, 70, 6, 100
NESTING_MAX, DECISIONS_MAX = 4, 15

# What only some places may say. A place is a module ("sys/clock" covers clock*.c and clock*.h) or
# a folder ("cli/"); words are whole identifiers, or the beginning of one when they end in "*".
HOMES = {
    "memory": (["base/alloc"], "use ax_alloc or an arena",
               "malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign "
               "strdup strndup asprintf vasprintf"),
    "numbers from text": (["base/number", "base/decimal"], "use base/number.h",
                          "strtod strtof strtold strtol strtoul strtoll strtoull strtoimax "
                          "strtoumax strtod_l strtof_l strtold_l"),
    "printing": (["cli/", "base/assert", "verify/verify_main"], "return, log, or use ax_writer",
                 "printf vprintf fprintf vfprintf dprintf puts fputs putchar putc fputc perror"),
    "ending the program": (["cli/main", "base/assert", "sys/process"], "return a status",
                           "exit _exit quick_exit abort"),
    "processes": (["sys/process"], "use sys/process.h",
                  "fork vfork execv execve execvp execvpe execl execlp execle fexecve "
                  "posix_spawn posix_spawnp waitpid waitid"),
    "time": (["sys/clock"], "use sys/clock.h",
             "time gettimeofday clock_gettime clock_nanosleep nanosleep usleep sleep clock "
             "timespec_get gmtime_r localtime_r timegm mktime strftime strptime"),
    "the environment": (["server/", "cli/"], "take it as a setting", "getenv secure_getenv setenv putenv"),
    "errno": (["sys/", "net/"], "use a status", "errno __errno_location"),
    "atomics": (["base/", "sys/"], "use sys/queue, sys/snapshot or sys/metrics",
                "_Atomic __atomic_* atomic_* __sync_*"),
    "libuv": (["net/loop"], "use net/loop.h", "uv_*"),
    "llhttp": (["net/http1"], "use net/http1.h", "llhttp_*"),
    "nghttp2": (["net/http2_session"], "use net/http2_session.h", "nghttp2_* NGHTTP2_*"),
    "libcurl": (["net/client"], "use net/client.h", "curl_* CURL*"),
    "SQLite": (["store/sqlite"], "use store/store.h", "sqlite3_* sqlite3"),
    "libpq": (["store/postgres"], "use store/store.h",
              "PQ* PGconn PGresult PGRES_* PG_DIAG_* Oid CONNECTION_OK CONNECTION_BAD"),
    "LMDB": (["kv/lmdb"], "use kv/kv.h", "mdb_* MDB_*"),
    "yyjson": (["codec/json"], "use codec/json.h", "yyjson_*"),
    "libyaml": (["codec/yaml"], "use codec/yaml.h", "yaml_parser_* yaml_event_* yaml_token_*"),
    "zlib and zstd": (["codec/compress"], "use codec/compress.h",
                      "deflate deflateInit* deflateEnd inflate inflateInit* inflateEnd ZSTD_*"),
    "OpenSSL's TLS": (["net/tls"], "use net/tls.h", "SSL_* BIO_* X509_* SSL TLS_server_method"),
    "OpenSSL, libsodium, argon2": (["sys/crypto", "net/tls"], "use sys/crypto.h",
                                   "EVP_* OPENSSL_* CRYPTO_* RAND_* ERR_* OSSL_* SHA256_* HMAC_* "
                                   "sodium_* crypto_sign_* crypto_aead_* crypto_pwhash_* "
                                   "crypto_hash_* randombytes_* argon2_* argon2id_* argon2i_*"),
    "ONNX Runtime": (["engine/onnxruntime"], "use engine/onnxruntime.h", "Ort* ORT_* ONNX_*"),
    "libaxiom": (["library/"], "it is for other programs: use engine/engine.h", "axiom_*"),
    "XGBoost": (["learner/xgboost_train"], "use learner/xgboost_train.h", "XGB* XGDMatrix*"),
}
# Callbacks whose parameters a library's type prescribes: nghttp2's data source.
PRESCRIBED = {"http2_on_body_wanted", "http2_client_upload"}
BANNED = {word: why for words, why in (
    ("strcpy strcat strncpy strncat stpcpy stpncpy", "use ax_str and ax_writer"),
    ("sprintf vsprintf", "use ax_writer or snprintf"),
    ("gets strtok strtok_r strsep", "use ax_str_cut"),
    ("atoi atol atoll atof", "use base/number.h"),
    ("scanf fscanf sscanf vscanf vfscanf vsscanf", "use ax_reader or base/number.h"),
    ("alloca setjmp longjmp sigsetjmp siglongjmp _setjmp", "no hidden control of the stack"),
    ("system popen", "use sys/process.h"),
    ("localtime gmtime ctime ctime_r asctime asctime_r", "use sys/clock.h"),
    ("strerror strerror_l", "use sys/os_error.h"),
    ("rand srand random srandom rand_r drand48 srand48 lrand48 mrand48",
     "use numeric/random.h or ax_random_bytes"),
) for word in words.split()}
HEADER_HOMES = {
    "errno.h": "errno", "stdatomic.h": "atomics", "uv.h": "libuv", "llhttp.h": "llhttp",
    "nghttp2/nghttp2.h": "nghttp2", "libpq-fe.h": "libpq",
    "curl/curl.h": "libcurl", "sqlite3.h": "SQLite", "lmdb.h": "LMDB", "yyjson.h": "yyjson",
    "yaml.h": "libyaml", "zlib.h": "zlib and zstd", "zstd.h": "zlib and zstd",
    "sodium.h": "OpenSSL, libsodium, argon2", "argon2.h": "OpenSSL, libsodium, argon2",
    "onnxruntime_c_api.h": "ONNX Runtime", "xgboost/c_api.h": "XGBoost", "axiom.h": "libaxiom",
}
# What stands in the first group of includes: C's own headers and the system's.
SYSTEM_HEADERS = set("""
assert complex ctype dirent dlfcn errno execinfo fcntl fenv float fnmatch glob grp inttypes iso646
limits link locale malloc math netdb poll pthread pwd sched semaphore signal stdalign stdarg
stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings sysexits syslog termios
threads time unistd wchar wctype immintrin x86intrin arm_neon cpuid""".split())
SYSTEM_FOLDERS = {"sys", "netinet", "arpa", "net", "linux", "bits", "asm"}

# Vocabulary that is shared like that of base/: these words may stand after ax_ there as well.
VOCABULARY = {
    "sys/metrics": "metric",
    "sys/crypto": "sha256 hmac random ed25519 seal unseal aes password", "sys/file": "path",
    "sys/workers": "thread", "codec/text": "base64 base64url hex percent utf8",
}
# Programs and their verbs are no modules: the end-to-end tests are theirs.
MAINS = {"cli/main", "verify/verify_main"}
VERBS = "cli/commands_"
UNFINISHED = re.compile(r"\b(?:%s)\b" % "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")))

NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/"                       # comments
    r"|\b[0-9](?:'?[\w.])*"                     # numbers, so that 1'000 opens no character
    r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


class Source:
    """A C file: its text, its text without comments and literals, and where it stands."""

    def __init__(self, root, path):
        self.path = path.relative_to(root)
        self.text = path.read_text()
        self.lines = self.text.splitlines()
        self.code = NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), self.text)
        self.code_lines = self.code.splitlines()
        self.starts = [0] + [m.end() for m in re.finditer("\n", self.text)]
        self.in_src = self.path.parts[0] == "src"
        self.folder = self.path.parts[1] if self.in_src else ""
        self.is_test = not self.in_src or self.path.stem.endswith(("_test", "_fuzz"))
        self.module = re.sub("_(test|fuzz)$", "", self.path.stem)
        self.place = f"{self.folder}/{self.path.stem}"

    def line_at(self, offset):
        return bisect.bisect_right(self.starts, offset)

    def functions(self):
        """(first line, name, parameters, is static, body lines) of each function defined here.

        clang-format puts the name of a defined function and both its braces in column 0."""
        start = None
        for number, line in enumerate(self.code_lines, 1):
            if line.rstrip() == "{":
                start = number
            elif line.rstrip() == "}" and start:
                at = start - 1
                while at > 0 and not re.match(r"[A-Za-z_]", self.code_lines[at - 1]):
                    at -= 1
                head = " ".join(self.code_lines[at - 1:start - 1])
                match = re.match(r"(\w+)\s*\((.*)\)\s*$", head, re.DOTALL)
                if match:
                    static = bool(re.search(r"\bstatic\b", self.code_lines[at - 2]))
                    name = match[2] if match[1] == "TEST" else match[1]
                    yield (at, name, parameters(match[2]), static,
                           self.code_lines[start:number - 1])
                start = None


def parameters(text):
    """How many there are: commas outside parentheses, plus one."""
    depth, count = 0, 0 if text.strip() in ("", "void") else 1
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        count += character == "," and depth == 0
    return count


def layers_of(root):
    """folder -> number of its line in the table of meson.build: the one place where it is kept."""
    text = (root / "meson.build").read_text()
    table = re.search(r"^layers = (\[.*?^\])", text, re.DOTALL | re.MULTILINE)
    rows = ast.literal_eval(table[1])
    return {folder: number for number, row in enumerate(rows) for folder in row}


def at_home(place, homes):
    return any(place.startswith(home) if home.endswith("/")
               else place == home or place.startswith(home + "_") for home in homes)


# --- rules about one file; each yields (line, what) ---------------------------------------------

def rule_size(source):
    if len(source.lines) > FILE_LINES_MAX:
        yield len(source.lines), f"the file has {len(source.lines)} lines, at most {FILE_LINES_MAX}"
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"the line has {len(line)} columns, at most {COLUMNS_MAX}"


def rule_functions(source):
    for line, name, count, _, body in source.functions():
        if len(body) > FUNCTION_LINES_MAX:
            yield line, f"{name} has {len(body)} lines, at most {FUNCTION_LINES_MAX}"
        if count > PARAMETERS_MAX and name not in PRESCRIBED:
            yield line, f"{name} has {count} parameters, at most {PARAMETERS_MAX}"
        decisions = 1 + sum(len(re.findall(r"\b(?:if|for|while|switch)\b|&&|\|\||\?", text))
                            for text in body)
        if decisions > DECISIONS_MAX and not source.is_test:
            yield line, f"{name} has {decisions} ways through, at most {DECISIONS_MAX}"
        for number, text in enumerate(body, line + 2):
            match = re.match(r"( +)(?:\} else |\} )?(?:if|for|while|switch|do)\b", text)
            if match and len(match[1]) // 4 > NESTING_MAX:
                yield number, f"nested {len(match[1]) // 4} deep in {name}, at most {NESTING_MAX}"
                break


def rule_header(source):
    if source.path.suffix != ".h":
        return
    if not source.text.startswith("/*"):
        yield 1, "a header begins with a comment: what it is, the idea, what it is not"
    if "#pragma once" not in source.lines:
        yield 1, "#pragma once is missing"
    if source.is_test:
        return
    undefined_again = set(re.findall(r"^#undef (\w+)", source.code, re.MULTILINE))
    for number, line in enumerate(source.code_lines, 1):
        macro = re.match(r"#define (\w+)", line)
        if macro and not re.match(r"AX_|ax_", macro[1]) and macro[1] not in undefined_again:
            yield number, f"the macro {macro[1]} crosses files and does not begin with AX_"
        tag = re.match(r"(?:typedef )?(?:struct|enum|union) (\w+) *(?:\{|;)", line)
        if tag and not tag[1].startswith("ax_") and not line.endswith(";"):
            yield number, f"{tag[1]} crosses files and does not begin with ax_"


def rule_includes(source, root, layers):
    groups, previous = [], None
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'#include ([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        if previous != number - 1:
            groups.append([])
        groups[-1].append((number, match[1], match[2]))
        previous = number
    for number, kind, name in (entry for group in groups for entry in group):
        yield from include_is_allowed(source, root, layers, number, kind, name)
    yield from include_order(source, groups)


def include_is_allowed(source, root, layers, number, kind, name):
    if not source.in_src:
        return
    if kind == "<":
        stem = name.removesuffix(".h")
        home = HEADER_HOMES.get(name)
        if name.startswith("openssl/"):
            home = "OpenSSL, libsodium, argon2"
        if home and not source.is_test and not at_home(source.place, HOMES[home][0]):
            yield number, f"<{name}> belongs to {' and '.join(HOMES[home][0])}: {HOMES[home][1]}"
        if not home and stem not in SYSTEM_HEADERS and name.split("/")[0] not in SYSTEM_FOLDERS:
            yield number, f"<{name}> is a library's: give it a home in tools/tidy.py"
        return
    folder = name.split("/")[0]
    if "/" not in name:
        if not (source.is_test and (name == "harness.h" or (root / "tests" / name).is_file())):
            yield number, f'"{name}" is not written from src/ ("folder/file.h")'
    elif folder not in layers:
        yield number, f'"{name}": {folder} is in no layer of meson.build'
    elif folder != source.folder and layers[folder] >= layers.get(source.folder, -1):
        yield number, f"{source.folder} may not use {folder}: it does not lie below"


def include_order(source, groups):
    own = f"{source.folder}/{source.module}.h" if source.in_src else f"{source.module}.h"
    flat = [entry for group in groups for entry in group]
    if source.path.suffix == ".c" and own in (name for _, _, name in flat) and flat[0][2] != own:
        yield flat[0][0], f'the own header "{own}" is included first'
    seen_ours = False
    for group in groups:
        names = [name for _, _, name in group]
        if names != sorted(names):
            yield group[0][0], "the includes of this group are not sorted"
        if len({kind for _, kind, _ in group}) > 1:
            yield group[0][0], "our headers and others stand in groups of their own"
        ours = group[0][1] == '"'
        if seen_ours and not ours:
            yield group[0][0], "C's headers and libraries' come before ours"
        seen_ours = seen_ours or (ours and names != [own])


def rule_calls(source):
    """Banned words and words away from their home, in product code."""
    if source.is_test:
        return
    for match in re.finditer(r"(?<![\w.])(?<!->)[A-Za-z_]\w*", source.code):
        word = match[0]
        called = re.match(r"\s*\(", source.code[match.end():match.end() + 8])
        if called and word in BANNED:
            yield source.line_at(match.start()), f"{word} is banned: {BANNED[word]}"
            continue
        home = home_of(word)
        if home and not at_home(source.place, HOMES[home][0]):
            if called or home not in CALLS_ONLY:
                places, instead, _ = HOMES[home]
                yield (source.line_at(match.start()),
                       f"{word} belongs to {' and '.join(places)}: {instead}")


def rule_names(source, objects):
    """ax_ means: crosses a file; the next word names the file, its folder or its own object."""
    if source.is_test:
        return
    objects = objects.get(f"{source.folder}/{source.module}", set())
    for line, name, _, static, _ in source.functions():
        local = static and source.path.suffix == ".c"
        if name.startswith("ax_") and local:
            yield line, f"{name} is static: ax_ means that it crosses a file"
        elif name.startswith("axiom_") and source.folder == "library":
            continue  # include/axiom.h's
        elif not name.startswith("ax_") and not local and source.place not in MAINS:
            yield line, f"{name} crosses a file: its name begins with ax_, or it is static"
        elif name.startswith("ax_") and not local and not names_its_file(source, name, objects):
            yield line, (f"{name}: the word after ax_ names neither the file ({source.module}), "
                         f"its folder ({source.folder}) nor a type defined there")


def names_its_file(source, name, objects):
    if source.folder == "base":
        return True
    own = source.module.split("_") + [source.folder, *objects]
    own += VOCABULARY.get(f"{source.folder}/{source.module}", "").split()
    return any(re.match(rf"ax_{word}s?(_|$)", name) for word in own)


def objects_defined(sources):
    """module -> the types ax_... whose fields its .h or .c shows: the objects it is home to."""
    found = {}
    for source in sources:
        names = re.findall(r"\b(?:struct|enum|union) ax_(\w+)\s*\{", source.code)
        names += re.findall(r"^\} ax_(\w+);", source.code, re.MULTILINE)
        found.setdefault(f"{source.folder}/{source.module}", set()).update(names)
    return found


def rule_text(source):
    for number, line in enumerate(source.lines, 1):
        if UNFINISHED.search(line):
            yield number, "unfinished business is finished, or an issue; it is not a comment"
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        if "\t" in line:
            yield number, "a tab"


def home_table():
    exact, begins = {}, []
    for home, (_, _, words) in HOMES.items():
        for word in words.split():
            if word.endswith("*"):
                begins.append((word[:-1], home))
            else:
                exact[word] = home
    return exact, begins


HOME_EXACT, HOME_BEGINS = home_table()
# Ordinary English words: only a call is meant. A library's types belong to its home too.
CALLS_ONLY = {"memory", "numbers from text", "printing", "ending the program", "processes", "time",
              "the environment", "zlib and zstd"}


def home_of(word):
    if word.startswith(("ax_", "AX_")):
        return None
    return HOME_EXACT.get(word) or next(
        (home for begin, home in HOME_BEGINS if word.startswith(begin)), None)


# --- rules about the tree; each yields (path, line, what) ---------------------------------------

def rule_unique_names(sources):
    taken = {}
    for source in sources:
        first = taken.setdefault(source.path.name, source.path)
        if first != source.path:
            yield source.path, 1, f"the name is taken by {first}"


def rule_modules(root, sources):
    """A module has its test, a fuzz target its seeds, and every file a line in a meson.build."""
    paths = {str(source.path) for source in sources}
    for source in sources:
        path, folder = source.path, source.path.parent
        if path.suffix == ".c" and path.parts[0] in ("src", "bench") or folder.name == "contract":
            listing = root / folder / "meson.build"
            if not listing.is_file() or f"'{path.name}'" not in listing.read_text():
                yield path, 1, f"not listed in {folder}/meson.build"
        if source.in_src and path.suffix == ".c" and not source.is_test and \
                source.place not in MAINS and not source.place.startswith(VERBS) and \
                not has_test(paths, path):
            yield path, 1, f"no test: {folder}/{path.stem}_test.c is missing"
        if path.stem.endswith("_fuzz"):
            seeds = root / "tests/corpus" / source.module
            if not seeds.is_dir() or not any(seeds.iterdir()):
                yield path, 1, f"no seeds: tests/corpus/{source.module} is missing or empty"


def has_test(paths, path):
    """x.c is tested by x_test.c, a port by its contract, a part of a module (x_part.c) by x_test.c
    too."""
    if f"tests/contract/{path.stem}_contract.c" in paths:
        return True
    words = path.stem.split("_")
    for count in range(len(words), 0, -1):
        if str(path.with_name("_".join(words[:count]) + "_test.c")) in paths:
            return True
    return False


# --- rules about the symbols of a build ---------------------------------------------------------

def objects_of(build, root):
    """source path -> object file, of every C file that the build compiled."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if path.is_relative_to(root) and path.suffix == ".c":
            yield path.relative_to(root), pathlib.Path(entry["directory"]) / entry["output"]


def symbols_of(objects):
    """path -> (undefined names, {defined name}), by one run of nm over all objects."""
    by_object = {str(obj): path for path, obj in objects if obj.exists()}
    found = {path: (set(), set()) for path in by_object.values()}
    output = subprocess.check_output(["nm", "-A", "-g", *by_object], text=True)
    for line in output.splitlines():
        obj, _, rest = line.partition(".o:")
        kind, name = rest.split()[-2:]
        name = re.sub(r"^__isoc(99|23)_", "", name.split("@")[0])
        found[by_object[obj + ".o"]][0 if kind in "Uw" else 1].add(name)
    return found


def rule_symbols(sources, build, root, layers):
    by_path = {source.path: source for source in sources}
    found = symbols_of(objects_of(build, root))
    owner = {name: path for path, (_, defined) in found.items() if path.parts[0] == "src"
             for name in defined}
    used_by = {}
    for path, (used, _) in found.items():
        for name in used:
            used_by.setdefault(name, set()).add(path)
    for path, (used, defined) in sorted(found.items()):
        source = by_path.get(path)
        if not source or source.is_test:
            continue
        for name in sorted(used):
            fault = symbol_fault(source, name, owner, layers)
            if fault:
                yield path, line_of(source, name), fault
        for name in sorted(defined):
            if name.startswith("axiom_") and source.folder == "library":
                continue
            if not name.startswith("ax_") and name != "main":
                yield path, line_of(source, name), f"{name} is exported and does not begin with ax_"
            elif name != "main" and not used_by.get(name):
                yield path, line_of(source, name), f"nobody else uses {name}: make it static"


def symbol_fault(source, name, owner, layers):
    if name in owner:
        folder = owner[name].parts[1]
        if folder != source.folder and layers[folder] >= layers[source.folder]:
            return f"{name} lies in {folder}, which {source.folder} may not use"
        return None
    if name in BANNED:
        return f"{name} is banned: {BANNED[name]}"
    home = home_of(name)
    if home and not at_home(source.place, HOMES[home][0]):
        return f"{name} belongs to {' and '.join(HOMES[home][0])}: {HOMES[home][1]}"
    return None


def line_of(source, name):
    match = re.search(rf"\b{re.escape(name)}\b", source.code)
    return source.line_at(match.start()) if match else 1


# --- the whole ------------------------------------------------------------------------------------

def read_sources(root):
    folders = [root / name for name in ("src", "tests", "bench") if (root / name).is_dir()]
    return [Source(root, path) for folder in folders for path in sorted(folder.rglob("*.[ch]"))]


def faults_of(root, build=None):
    """Every fault as (path, line, what), in the order of the files."""
    sources, layers, faults = read_sources(root), layers_of(root), []
    objects = objects_defined(sources)
    for source in sources:
        if source.in_src and source.folder not in layers:
            faults.append((source.path, 1, f"{source.folder} is in no layer of meson.build"))
        rules = [rule_size, rule_functions, rule_header, rule_calls, rule_text]
        for rule in rules:
            faults += [(source.path, line, what) for line, what in rule(source)]
        faults += [(source.path, line, what) for line, what in rule_includes(source, root, layers)]
        faults += [(source.path, line, what) for line, what in rule_names(source, objects)]
    faults += rule_unique_names(sources)
    faults += rule_modules(root, sources)
    if build:
        faults += rule_symbols(sources, build, root, layers)
    unique = sorted(set((str(path), line, what) for path, line, what in faults))
    return unique, len(sources)


# Faults of what is being written: a file that no meson.build lists is not built, nor tested.
GROWING = ("nobody else uses", "no test:", "not listed in", "no seeds:")


def split_growing(root, faults):
    """Until the server's own tests stand, what nobody uses or tests yet is counted and not held
    against a module."""
    if (root / "src/server/services_test.c").is_file() or not (root / "src/cli/meson.build").is_file():
        return faults, 0
    kept = [one for one in faults if not one[2].startswith(GROWING)]
    return kept, len(faults) - len(kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=pathlib.Path, metavar="BUILD_DIR",
                        help="read the object files of this build too")
    parser.add_argument("root", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    build = options.symbols.resolve() if options.symbols else None
    faults, count = faults_of(options.root.resolve(), build)
    faults, later = split_growing(options.root.resolve(), faults)
    for path, line, what in faults:
        print(f"{path}:{line}: {what}")
    if later:
        print(f"tidy: {later} modules and exports wait for their tests and users (no server yet)")
    print(f"tidy: {count} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
