"""The engine as its users see it: axiom score over long tables and threads, model inspect, model compare."""
import csv
import json
import os
import pathlib
import pty
import random
import resource
import select
import subprocess
import time

from harness import AXIOM, ROOT, SCRATCH, SHARED, Skip, check, contains, refused, run, run_suite

MODELS = ROOT / "tests" / "model"
SMALL = MODELS / "small"
LONG_ROWS = 200_000
NAMES = {"xgboost": "model.json", "lightgbm": "model.txt", "catboost": "model.json"}


def cases():
    """Folders of golden models with their files."""
    found = [(path.parent, path.parent / NAMES[path.parent.parent.name.split("-")[0]])
             for path in sorted(MODELS.glob("*/*/expected.json")) if path.parent.parent.name.split("-")[0] in NAMES]
    check(len(found) >= 5, "the golden models are not there")
    return [(folder, model) for folder, model in found if model.exists()]


def score(model, table, *options):
    code, out, err = run(AXIOM, "score", "--model", model, "--input", table, *options)
    check(code == 0, err)
    return out


def inspected(model):
    code, out, err = run(AXIOM, "model", "inspect", model, "--json")
    check(code == 0, err)
    return json.loads(out)


def long_table():
    """Rows of the small model, some of them with what CSV allows and rarely has."""
    table = SCRATCH / "long.csv"
    if not table.exists():
        dice = random.Random(4)
        with table.open("w", newline="") as out:
            out.write("age,income,job,remark\n")
            for number in range(LONG_ROWS):
                remark = ("", "plain", '"two\nlines"', '"a ""word"", a comma"')[number % 7 % 4]
                out.write(f"{dice.randrange(18, 90)},{dice.random() * 3000:.2f},{dice.choice(('clerk', 'cook', 'nurse', ''))},{remark}"
                          + ("\r\n" if number % 5 == 0 else "\n"))
    return table


def test_golden_models_are_scored_alike_by_any_number_of_threads():
    done = 0
    for folder, model in cases():
        inputs = (folder / "input.csv").read_text()
        check(len(inputs.splitlines()) > 1, folder)
        meta = json.loads((folder / "meta.json").read_text())
        words = [word for feature in inspected(model)["features"] for word in feature.get("categories", [])]
        if any(word.lstrip("-").replace(".", "", 1).isdigit() for word in words):
            continue  # a cell of its input is a code, which axiom score takes for the word of another
        options = ["--missing", meta["missing"]] if isinstance(meta.get("missing"), (int, float)) else []
        code, one, err = run(AXIOM, "score", "--model", model, "--input", folder / "input.csv", "--output", "margin", *options)
        if code != 0:  # an input of more columns than features, by design of the case
            contains(err, str(folder))
            continue
        expected = json.loads((folder / "expected.json").read_text()).get("margin")
        rows = list(csv.reader(one.splitlines()))[1:]
        if expected:
            check(len(rows) == len(expected), f"{folder}: {len(rows)} rows")
            for got, want in zip(rows, expected):
                want = want if isinstance(want, list) else [want]
                for a, b in zip(got, want):
                    check(b is None or abs(float(a) - b) <= 1e-6 * max(1, abs(b)), f"{folder}: {got} against {want}")
        check(score(model, folder / "input.csv", "--output", "margin", "--threads", 3, *options) == one, folder)
        done += 1
    check(done >= 5, f"only {done} golden models were scored")


def test_threads_change_no_byte_of_a_long_table():
    one = score(SMALL / "xgboost.json", long_table(), "--output", "response,margin,leaf")
    check(len(one.splitlines()) == LONG_ROWS + 1, "a row is missing")
    for threads in (2, 5, 16):
        check(score(SMALL / "xgboost.json", long_table(), "--output", "response,margin,leaf", "--threads", threads) == one, f"{threads} threads")
    piped = subprocess.run([str(AXIOM), "score", "--model", str(SMALL / "xgboost.json"), "--input", "-", "--output", "response,margin,leaf"],
                           stdin=subprocess.Popen(["cat", str(long_table())], stdout=subprocess.PIPE).stdout, capture_output=True, text=True, check=True)
    check(piped.stdout == one, "standard input is scored otherwise")


def test_graphs_are_streamed_and_shared_by_threads_too():
    folders = sorted((SHARED / "models" / "onnx").glob("*/model.onnx"))
    if not folders:
        raise Skip("the golden ONNX models are not there")
    done = 0
    for model in folders:
        lines = (model.parent / "input.csv").read_text().splitlines(keepends=True)
        table = SCRATCH / "graph.csv"
        table.write_text("".join([lines[0], *(lines[1:] * (8000 // len(lines)))]))
        code, one, err = run(AXIOM, "score", "--model", model, "--input", table)
        if code != 0:  # a graph of other inputs than a table's columns
            contains(err, "axiom score: ")
            continue
        alone = score(model, model.parent / "input.csv").splitlines()
        rows = one.splitlines()
        check(len(rows) == 1 + (len(alone) - 1) * (8000 // len(lines)) and rows[:len(alone)] == alone, f"{model}: {len(rows)} lines")
        check(score(model, table, "--threads", 3) == one, model)
        done += 1
    check(done >= len(folders) / 2, f"only {done} of {len(folders)} graphs took a table")


def test_a_table_is_streamed_in_little_memory():
    """Endless input while the program may have 200 MB at all; it is read, scored and printed as it comes."""
    line, rows = b"41,1200.5,1\n", 2_000_000  # 24 MB of text; parsed whole it was several times that
    for threads in ("1", "3"):
        process = subprocess.Popen([str(AXIOM), "score", "--model", str(SMALL / "xgboost.json"), "--input", "-", "--threads", threads],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20)))
        feeder = os.fork()
        if feeder == 0:
            process.stdout.close()
            try:
                process.stdin.write(b"age,income,job\n" + line * rows)
                process.stdin.close()
            finally:
                os._exit(0)
        process.stdin.close()
        count, least = 0, None
        while chunk := process.stdout.read(1 << 16):
            count += chunk.count(b"\n")
            peak = pathlib.Path(f"/proc/{process.pid}/status").read_text() if count % 50 == 0 else ""
            for word in peak.splitlines():
                if word.startswith("VmHWM"):
                    least = max(least or 0, int(word.split()[1]))
        os.waitpid(feeder, 0)
        check(process.wait() == 0 and count == rows + 1, f"{count} lines with {threads} threads")
        check(least is None or least < 64 << 10, f"{least} KB with {threads} threads")


def test_a_bad_row_far_down_is_named_with_any_number_of_threads():
    table = SCRATCH / "broken.csv"
    text = long_table().read_text().splitlines(keepends=True)
    text[150_000:150_000] = ['20,"three",cook,\n']
    table.write_text("".join(text))
    said = {refused(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", table, "--threads", threads,
                    says=["broken.csv", "row ", "income", "three"]) for threads in (1, 2, 7)}
    check(len(said) == 1, f"{said}")
    table.write_text("age,income,job\n1,2,cook\n\"1,2,cook\n" + "1,2,cook\n" * 3_000_000)
    refused(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", table, "--threads", 2, says=["row 3", "16777216 bytes"])
    table.unlink()
    for words, says in ((("--threads", "0"), "--threads"), (("--mode", "quick"), "--mode must be exact or fast"), (("--threads", "many"), "--threads"), (("--output", "odds"), "--output"),
                        (("--output", "margin,margin"), "twice"), (("--output", "points"), "points")):
        refused(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", long_table(), *words, says=[says])
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(AXIOM), "score", "--model", str(SMALL / "xgboost.json"), "--input", str(long_table())], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    check(done.returncode == 1, "a full disk was not noticed")


def test_progress_is_shown_on_a_terminal_alone():
    def terminal_text(rows):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([str(AXIOM), "score", "--model", str(SMALL / "xgboost.json"), "--input", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        process.stdin.write(b"age,income,job\n")
        for _ in range(rows):
            process.stdin.write(b"41,1200.5,1\n" * 50_000)
            process.stdin.flush()
            time.sleep(0.4)
        process.stdin.close()
        process.wait()
        said = b""
        while select.select([ours], [], [], 0)[0]:
            try:
                said += os.read(ours, 1 << 16)
            except OSError:
                break
        os.close(ours)
        return said.decode()
    contains(terminal_text(2), "\r", "100,000 rows", "rows/s")
    check(terminal_text(0) == "", "a short run shows progress")
    done = subprocess.run([str(AXIOM), "score", "--model", str(SMALL / "xgboost.json"), "--input", str(long_table())], capture_output=True, text=True, check=True)
    check(done.stderr == "", f"progress in a pipe: {done.stderr}")


def test_inspect_says_what_a_model_is():
    code, out, err = run(AXIOM, "model", "inspect", SMALL / "xgboost.json")
    check(code == 0, err)
    contains(out, "xgboost-json 3.2.0", "binary:logistic", "2, 5 leaves, depth 2", "kernels ", "one row: ", "categorical splits", "1000.5 to 1000.5")
    for folder, model in cases():
        said = inspected(model)
        check(said["trees"] > 0 or said["kind"] != "trees", folder)
        check(said["file_bytes"] == model.stat().st_size and said["memory_bytes"] > 0, folder)
        for feature in said["features"]:
            values = feature["threshold_values"]
            check(len(values) == feature["thresholds"] and values == sorted(set(values)), f"{folder}: {feature['name']}")
        if said["kind"] == "trees":
            check(said["leaves"] >= said["trees"] and said["kernels"]["row"] in ("walk", "interleave", "match", "heap", "gather", "batch"), folder)
    broken = SCRATCH / "broken.json"
    text = (SMALL / "xgboost.json").read_text()
    for content in ("", "{}", text[: len(text) // 2], text.replace('"left_children":[1', '"left_children":[9', 1)):
        broken.write_text(content)
        refused(AXIOM, "model", "inspect", broken, says=["broken.json"])


def test_compare_finds_where_two_models_part():
    table = SCRATCH / "rows.csv"
    rows = [(20, 100, 0), (41, 1200.5, 1), (29, 999, 2), (31, 5000, 3), (77, 1000.5, 1)]
    table.write_text("age,income,job\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows))
    one, other = SMALL / "xgboost.json", SCRATCH / "other.json"
    code, out, err = run(AXIOM, "model", "compare", one, SMALL / "xgboost.ubj", "--input", table, "--output", "response,margin,contributions,leaf")
    check(code == 0 and not err, f"{out}{err}")
    contains(out, "rows               5", "rows that differ   0")

    text = one.read_text()
    check("1000.5" in text or "1.0005E3" in text, "the threshold that is moved")
    other.write_text(text.replace("1000.5", "6000").replace("1.0005E3", "6E3"))
    def answers(model):
        return [float(line) for line in score(model, table, "--output", "margin").splitlines()[1:]]
    first, second = answers(one), answers(other)
    apart = [index for index, (a, b) in enumerate(zip(first, second)) if a != b]
    check(0 < len(apart) < len(rows), f"{first} against {second}")
    code, out, err = run(AXIOM, "model", "compare", one, other, "--input", table, "--output", "margin", "--json")
    said = json.loads(out)
    check(code == 1 and f"{len(apart)} of {len(rows)} rows differ" in err, f"{out}{err}")
    check(said["rows"] == len(rows) and said["differing"] == len(apart), out)
    check(said["first"]["row"] == apart[0] + 2 and said["first"]["column"] == "margin", out)
    check(abs(said["first"]["a"] - first[apart[0]]) < 1e-6 and abs(said["first"]["b"] - second[apart[0]]) < 1e-6, out)
    check(float(said["first_features"]["income"]) == rows[apart[0]][1], out)
    most = max(abs(a - b) for a, b in zip(first, second))
    check(abs(said["most_absolute"]["difference"] - most) < 1e-6, out)
    code, out, _ = run(AXIOM, "model", "compare", one, other, "--input", table, "--output", "margin", "--tolerance", 1.01 * most)
    check(code == 0, out)
    contains(out, "most, absolute", "most, relative")
    code, out, _ = run(AXIOM, "model", "compare", one, other, "--input", table, "--output", "margin", "--tolerance", most / 4)
    check(code == 1, out)
    contains(out, "first ", "age ", "income ", "job ")
    for words, says in (((one,), "two model files"), ((one, other), "--input"), ((one, other, "--input", table, "--tolerance", "-1"), "--tolerance"),
                        ((one, SMALL / "vector.json", "--input", table), "columns in the first"),
                        ((one, SCRATCH / "none.json", "--input", table), "none.json")):
        refused(AXIOM, "model", "compare", *words, says=[says])


if __name__ == "__main__":
    run_suite(globals())
