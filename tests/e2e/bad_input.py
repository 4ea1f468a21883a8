"""Bad input: a 4xx or exit code 1 with a sentence that names the place, and nothing left half done."""
import json
import pathlib
import re
import tempfile

from harness import AXIOM, DEMO, ROOT, SCRATCH, SHARED, Copy, Server, Skip, check, contains, raw, refused, run, run_suite

SMALL = ROOT / "tests" / "model" / "small"
BANK = []


def bank():
    if not BANK:
        BANK.append(Copy())
    return BANK[0]


def ledger_size():
    return int(bank().checkpoint().read_text().splitlines()[1])


def post(path, body, person="loans", content_type="application/json"):
    """(status, answer) of raw bytes sent as a body."""
    someone = bank().people[person]
    head = (f"POST {path} HTTP/1.1\r\nHost: bank\r\nAuthorization: Bearer {someone.token}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n")
    answer = raw(bank().server.port, head.encode() + body)
    status, _, rest = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), json.loads(rest)


def test_a_body_that_is_no_json_is_refused_with_the_place():
    path = "/api/v1/deployments/credit/decisions"
    before = ledger_size()
    for body, words in ((b"", "JSON"), (b"{", "JSON"), (b'{"features":{"a":1}', "JSON"), (b'{"features":{"a":}}', "byte"),
                        (b"[" * 5000 + b"]" * 5000, "deep"), (b'{"features":{},"features":{}}', "features"),
                        (b'{"features":{"purpose":"\xff\xfe"}}', "UTF-8"), (b'{"features":{"credit_amount":NaN}}', "byte"),
                        (b'{"features":{"credit_amount":Infinity}}', "byte"), (b'{"features":{"credit_amount":1e999}}', "infinity"),
                        (b"[]", "object"), (b'"features"', "object"), (b'{"features":[1,2]}', "features"), (b"{}", "features"),
                        (b'{"features":{}} trailing', "byte"), (b'{"features":{},"oops":1}', "oops"),
                        (b'{"features":{},"request_id":7}', "request_id"), (b'{"features":{},"entity_id":[]}', "entity_id")):
        status, answer = post(path, body)
        check(400 <= status < 500, f"{body[:60]!r} was answered {status}: {answer}")
        check(answer["status"] == status and answer["detail"], f"{body[:60]!r}: {answer}")
        check(words.lower() in answer["detail"].lower(), f"{body[:60]!r} was refused with: {answer['detail']}")
    check(ledger_size() == before, "something that was refused is in the ledger")


def test_r74_a_feature_that_is_wrong_is_named():
    sound = bank().features(1)
    before = ledger_size()
    for change, words in (({"purpose": "a yacht"}, ["purpose", "a yacht"]), ({"credit_amount": "much"}, ["credit_amount", "number"]),
                          ({"credit_amount": True}, ["credit_amount"]), ({"credit_amount": [1]}, ["credit_amount"]),
                          ({"purpose": 7}, ["purpose"]), ({"shoe_size": 43}, ["shoe_size"]), ({"age_in_years": 40}, ["age_in_years"]),
                          ({"credit_amount": {}}, ["credit_amount"])):
        status, answer = bank().decide(1, features={**sound, **change})
        check(400 <= status < 500, f"{change} was answered {status} {answer}")
        contains(answer["detail"], *words)
    status, answer = bank().decide(1, features={name: value for name, value in sound.items() if name != "purpose"})
    check(status == 400 and "purpose" in answer["detail"], f"a missing feature: {status} {answer}")
    check(ledger_size() == before, "something that was refused is in the ledger")


def test_r75_out_of_domain_is_referred_as_the_policy_says():
    answer = bank().decided(2, request="far", features={**bank().features(2), "credit_amount": 1e9})
    check(answer["outcome"] == "refer", f"far outside its domain: {answer}")


def test_too_large_and_unknown_paths_are_answered_in_kind():
    status, answer = post("/api/v1/deployments/credit/decisions", b'{"features":{"purpose":"' + b"x" * (2 << 20) + b'"}}')
    check(status == 413, f"two megabytes: {status} {answer}")
    for path, wanted in (("/api/v1/deployments/none/decisions", 404), ("/api/v1/nothing", 404)):
        status, answer = post(path, b'{"features":{}}')
        check(status == wanted and answer["detail"], f"{path}: {status} {answer}")
    status, answer = bank().loans.http("DELETE", "/api/v1/models")
    check(status == 405, f"DELETE: {status} {answer}")


def test_who_asks_is_checked_first():
    path = "/api/v1/deployments/credit/decisions"
    someone = bank().people["loans"]
    kept = someone.token
    try:
        for token, wanted in (("", 401), ("axm_nothing", 401), (kept[:-1] + ("A" if kept[-1] != "A" else "B"), 401)):
            someone.token = token
            status, answer = post(path, b'{"features":{}}')
            check(status == wanted, f"token {token[:8]!r}: {status} {answer}")
    finally:
        someone.token = kept
    status, answer = post("/api/v1/models", b'{"name":"x","owner":"y","purpose":"z"}')
    check(status == 403, f"a client that makes a model: {status} {answer}")


def test_a_model_file_cut_anywhere_is_refused_in_one_sentence():
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        cut = pathlib.Path(folder) / "model"
        for name in ("xgboost.json", "xgboost.ubj", "scorecard.json"):
            content = (SMALL / name).read_bytes()
            for size in sorted({0, 1, 2, 3, *range(5, len(content) - 1, max(1, len(content) // 25))}):
                if not content[size:].strip():
                    continue
                cut.write_bytes(content[:size])
                code, out, err = run(AXIOM, "model", "inspect", cut)
                check(code == 1 and len(err.strip().splitlines()) == 1, f"{name} cut to {size}: code {code} {out}{err}")


def test_the_malformed_xgboost_files_are_refused():
    files = sorted((SHARED / "models" / "malformed").rglob("*xgb*")) if SHARED.exists() else []
    if not files:
        raise Skip("the large set of malformed models is not on this machine")
    for file in files:
        if file.is_file():
            code, out, err = run(AXIOM, "model", "inspect", file)
            check(code == 1 and err.strip(), f"{file.name}: code {code} {out}{err}")


def test_a_bad_model_leaves_the_registry_as_it_was():
    bank().dana.cli("model", "create", "scratch", "--owner", "dana", "--purpose", "tests")
    content = (SMALL / "xgboost.json").read_bytes()
    for body in (b"", b"{}", b"no model", content[:len(content) // 2], content.replace(b'"left_children"', b'"left_childrem"')):
        status, answer = post("/api/v1/models/scratch/versions", body, person="dana", content_type="application/octet-stream")
        check(400 <= status < 500 and answer["detail"], f"{body[:20]!r}: {status} {answer}")
    shown = bank().dana.cli("model", "show", "scratch")
    check(not shown["versions"], f"a version came of a bad file: {shown}")
    status, answer = post("/api/v1/models/scratch/versions", content, person="dana", content_type="application/octet-stream")
    check(status == 201 and answer["version"] == 1, f"a good file: {status} {answer}")


def test_a_bad_table_is_refused_with_its_row():
    schema = f"@{ROOT / 'demo' / 'schema.json'}"
    lines = DEMO.DATA.read_text().splitlines()
    table = SCRATCH / "table.csv"
    cases = (("", "empty"), (lines[0], "row"), ("\n".join([lines[0], lines[1] + ",1", lines[2]]), "row"),
             ("\n".join([lines[0], lines[1].rsplit(",", 1)[0], lines[2]]), "row"),
             ("\n".join([lines[0].rsplit(",", 1)[0]] + lines[1:5]), "column"),
             ("\n".join(lines[:2]) + '\n"open,' + lines[2], "quote"))
    for text, words in cases:
        table.write_text(text)
        said = refused(AXIOM, "data", "add", "--file", table, "--schema", schema, "--seed", "1", "--train", "0.6", "--validation",
                       "0.2", "--url", bank().server.url, "--token-file", bank().dana.token_file)
        check(re.search(words, said), f"{text[:40]!r}... was refused with: {said}")
    code, out, err = run(AXIOM, "data", "list", "--json", "--url", bank().server.url, "--token-file", bank().dana.token_file)
    check(code == 0 and len(json.loads(out)["datasets"]) == 1, f"a version came of a bad table: {out}{err}")


def test_tables_as_spreadsheets_write_them_are_read():
    plain, dressed = SCRATCH / "plain.csv", SCRATCH / "dressed.csv"
    rows = [["age", "income", "job"], ["20", "1000.5", "cook"], ["45", "", "nurse"], ["70", "3e3", "clerk"]]
    plain.write_text("\n".join(",".join(row) for row in rows) + "\n")
    dressed.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(",".join(f'"{cell}"' if cell else "" for cell in row) for row in rows).encode())
    first = run(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", plain)
    second = run(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", dressed)
    check(first == second and first[0] == 0 and len(first[1].splitlines()) == 4, f"{first} against {second}")


def test_score_refuses_with_the_row():
    table = SCRATCH / "bad.csv"
    for text, says in (("", ["empty"]), ("age,income,job\n1,2,cook\n1,2,cook,4\n", ["row 3"]),
                       ("age,income,job\n1,2,cook\nold,2,cook\n", ["row 3", "age", "old"]),
                       ("age,income,job\n1,2,pilot\n", ["row 2", "job", "pilot"])):
        table.write_text(text)
        refused(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", table, says=says)
    refused(AXIOM, "score", "--model", SMALL / "xgboost.json", "--input", SCRATCH / "none.csv", says=["none.csv"])
    refused(AXIOM, "score", "--model", SCRATCH / "none.json", "--input", table, says=["none.json"])


def test_the_inference_protocol_names_the_tensor():
    with_model = Server("--model", f"small={SMALL / 'xgboost.json'}")
    try:
        for body, words in ((b'{"inputs":[', "byte"), (b'{"inputs":{}}', "array"), (b'{"inputs":[]}', "input"),
                            (b'{"inputs":[{"name":"nothing","shape":[1,1],"datatype":"FP32","data":[1]}]}', "nothing"),
                            (b'{"inputs":[{"name":"input-0","shape":[1,-1],"datatype":"FP32","data":[1]}]}', "shape"),
                            (b'{"inputs":[{"name":"input-0","shape":[99999999999,99999999999],"datatype":"FP32","data":[1]}]}', "input-0"),
                            (b'{"inputs":[{"name":"input-0","shape":[1,1],"datatype":"FP99","data":[1]}]}', "FP99"),
                            (b'{"inputs":[{"name":"input-0","shape":[1,1],"datatype":"FP32","data":["x"]}]}', "input-0")):
            head = (f"POST /v2/models/small/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n")
            answer = raw(with_model.port, head.encode() + body)
            status, error = int(answer.split()[1]), json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
            check(status == 400 and words in error, f"{body!r}: {status} {error}")
    finally:
        with_model.stop()


def test_the_command_line_says_what_it_does_not_know():
    for words, says in ((["serv"], ["serv"]), (["serve", "--wat"], ["--wat"]), (["model", "inspect"], ["FILE"]),
                        (["serve", "--model", "nofile"], ["nofile"]), (["serve", SCRATCH / "none"], ["none"])):
        code, out, err = run(AXIOM, *words)
        check(code in (1, 2) and err.strip(), f"{words}: {code} {out}{err}")
        contains(err, *says)


def test_the_server_lives_on():
    status, answer = bank().loans.http("GET", "/readyz")
    check(status == 200, f"after all that: {status} {answer}")
    bank().decided(3, request="the last")
    bank().server.stop()
    code, said = bank().verify()
    check(code == 0, said)


if __name__ == "__main__":
    run_suite(globals())
