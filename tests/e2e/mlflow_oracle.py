"""What MLflow's own server answered, asked again of Axiom: 171 raw exchanges, one after another, against a real process.

They are in tests/golden/mlflow. Compared are status, error code, the beginning of the message, and the shape and values of the
body; identities and times differ and are followed.
"""
import json
import re
import subprocess
import tempfile
import time

from harness import AXIOM, ROOT, SCRATCH, check, free_port, run_suite, store_options

EXCHANGES = ROOT / "tests" / "golden" / "mlflow" / "exchanges.jsonl"
VARIES = {"creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms",
          "last_updated_timestamp_ms", "sqlstate", "error_class"}
# Where Axiom answers otherwise on purpose: (method, end of path, what is sent) -> status.
INTENDED = {
    ("POST", "experiments/update", '{"experiment_id": "1", "new_name": "q"}'): 400,   # a 500 would be repeated for minutes
    ("POST", "runs/search", '{"experiment_ids": ["x"]}'): 400,                        # as above
    ("POST", "mpu/create/x", '{"path": "f", "num_parts": 2}'): 200,                   # Axiom takes uploads in parts
    ("PUT", "artifacts/../x", "null"): 400,                                           # a way out is no unknown path
    ("GET", "presigned/x", "null"): 404,                                              # and gives ranges, of what is there
}


class Tracking:
    """A development tracking server over a fresh folder."""

    def __init__(self, *options):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(dir=SCRATCH)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = tempfile.TemporaryFile("w+")
        self.store = store_options()
        self.start(*options)

    def start(self, *options):
        self.process = subprocess.Popen([str(AXIOM), "serve", "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", f"{self.folder}/data",
                                         *self.store, *map(str, options)], stderr=self.log)
        began = time.monotonic()
        while not self.answers():
            check(self.process.poll() is None and time.monotonic() - began < 30, f"no server: {self.said()}")
            time.sleep(0.002)
        self.started = time.monotonic() - began

    def answers(self):
        import requests
        try:
            return requests.get(f"{self.url}/health", timeout=2).text == "OK"
        except requests.ConnectionError:
            return False

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        check(self.process.wait(30) == 0, self.said())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


class Replay:
    """Follows identities: what the oracle called R, Axiom calls S, from the answer that made it."""

    def __init__(self, server):
        import requests
        self.session = requests.Session()
        self.server = server
        self.known = {}

    def translate(self, text):
        for theirs, ours in self.known.items():
            text = text.replace(theirs, ours)
        return text

    def ask(self, one):
        headers = dict(one["headers"] or {})
        if one["raw"] is not None:
            data = self.translate(one["raw"]).encode()
        else:
            data = self.translate(json.dumps(one["json"])).encode() if one["json"] is not None else None
            if data is not None:
                headers.setdefault("Content-Type", "application/json")
        import requests
        path = self.translate(one["path"])
        request = requests.Request(one["method"], self.server.url, headers=headers, data=data, params=None)
        prepared = self.session.prepare_request(request)
        query = ""
        if one["params"]:
            query = requests.models.RequestEncodingMixin._encode_params(json.loads(self.translate(json.dumps(one["params"]))))
        prepared.url = self.server.url + path + (("&" if "?" in path else "?") + query if query else "")
        return self.session.send(prepared)

    def learn(self, theirs, ours):
        """Identities at the same place of both bodies."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for key in ("run_id", "run_uuid", "model_id", "upload_id"):
                if key in theirs and isinstance(ours.get(key), str) and theirs[key] != ours[key]:
                    self.known[theirs[key]] = ours[key]
            for key in theirs:
                self.learn(theirs[key], ours.get(key))
        elif isinstance(theirs, list) and isinstance(ours, list):
            for one, other in zip(theirs, ours):
                self.learn(one, other)


def same(theirs, ours, path=""):
    """What differs, as words; None when nothing of weight does."""
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            return f"{path}: {ours!r} is no object"
        for key in sorted(set(theirs) | set(ours)):
            if key in VARIES or (key == "outputs" and not theirs.get(key) and not ours.get(key)):
                continue
            if key not in ours or key not in theirs:
                return f"{path}.{key}: {'missing' if key in theirs else 'not in the oracle'}: {ours}"
            wrong = same(theirs[key], ours[key], f"{path}.{key}")
            if wrong:
                return wrong
        return None
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(theirs) != len(ours):
            return f"{path}: {ours!r}, not {theirs!r}"
        if theirs and isinstance(theirs[0], dict) and "key" in theirs[0]:  # MLflow keeps no order of tags, params, metrics
            theirs, ours = (sorted(side, key=lambda one: (one["key"], one.get("step", 0), str(one.get("value")))) for side in (theirs, ours))
        return next((wrong for wrong in (same(one, other, f"{path}[{at}]") for at, (one, other) in enumerate(zip(theirs, ours))) if wrong), None)
    if isinstance(theirs, str) and isinstance(ours, str):
        theirs, ours = theirs.split(" Error: (sqlite3")[0], ours
        if path.endswith(".message"):
            if theirs.startswith("(sqlite3"):  # the reference shows its database's own words
                return None
            theirs, ours = plain(theirs), plain(ours)
            return None if ours.startswith(theirs[:200]) or theirs.startswith(ours[:200]) else f"{path}: {ours!r}, not {theirs!r}"
    return None if theirs == ours and isinstance(theirs, bool) == isinstance(ours, bool) else f"{path}: {ours!r}, not {theirs!r}"


def plain(text):
    """Without what Python's sets make of an order."""
    return re.sub(r"\{[^{}]*\}", lambda found: "{" + ",".join(sorted(found[0][1:-1].split(", "))) + "}", text)


def replay(lines, *options):
    wrong = []
    with Tracking(*options) as server:
        replaying = Replay(server)
        for number, line in enumerate(lines):
            one = json.loads(line)
            if one["path"] == "/version" or "NaN" in (one["raw"] or ""):
                continue  # the version is Axiom's to say; bare NaN is refused (test_bare_nan_is_refused)
            answer = replaying.ask(one)
            sent = json.dumps(one["json"])
            wanted = next((status for (method, end, body), status in INTENDED.items()
                           if method == one["method"] and one["path"].endswith(end) and body == sent), one["status"])
            what = f"{number}: {one['method']} {one['path']} {one['params'] or ''} {sent[:200]}"
            if answer.status_code != wanted:
                wrong.append(f"{what}: {answer.status_code} {answer.text[:300]}, not {wanted} {str(one['body'])[:300]}")
                continue
            if wanted != one["status"] or not isinstance(one["body"], dict):
                continue
            if not answer.text.startswith("{"):
                wrong.append(f"{what}: {answer.text[:300]!r} is no JSON object")
                continue
            ours = answer.json()
            replaying.learn(one["body"], ours)
            theirs = json.loads(replaying.translate(json.dumps(one["body"])))
            theirs, ours = forgive(one, theirs, ours)
            difference = same(theirs, ours)
            if difference:
                wrong.append(f"{what}: {difference}")
    check(not wrong, f"{len(wrong)} of {len(lines)}:\n" + "\n".join(wrong))


def forgive(one, theirs, ours):
    """The reference's defects that are not copied, and what only it has."""
    if one["path"].endswith("get-history") and "max_results" not in (one["params"] or {}) and theirs.get("next_page_token"):
        return {}, {}  # without max_results it gives nothing and a token; Axiom gives all
    for run in (theirs.get("run"), ours.get("run")):
        if run and "metrics" in run.get("data", {}):  # of the bare NaN that Axiom refuses
            run["data"]["metrics"] = [metric for metric in run["data"]["metrics"] if metric["key"] != "nanraw"]
    return theirs, ours


def test_the_recorded_exchanges():
    replay(EXCHANGES.read_text().splitlines())


def test_bare_nan_is_refused():
    import requests
    with Tracking() as server:
        answer = requests.post(f"{server.url}/api/2.0/mlflow/runs/log-metric", data='{"run_id": "a", "key": "k", "value": NaN, "timestamp": 1}',
                               headers={"Content-Type": "application/json"})
        check(answer.status_code == 400, f"{answer.status_code} {answer.text}")


if __name__ == "__main__":
    run_suite(globals())
