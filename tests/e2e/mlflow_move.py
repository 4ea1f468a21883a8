"""A running MLflow server moved into Axiom over REST; the other way is mlflow_move_out.py.

MLflow's servers and clients are 3.18.0 and 2.22.5, unchanged. Between stands, where a test needs one, a proxy that asks for passwords, goes
away in the middle, or answers what no server should.
"""
import atexit
import base64
import http.client
import http.server
import json
import os
import pathlib
import signal
import ssl
import subprocess
import tempfile
import threading
import time

from harness import AXIOM, ROOT, SCRATCH, check, contains, free_port, run_suite
from mlflow_client import python
from mlflow_oracle import Tracking

FLOWS = ROOT / "tests" / "e2e" / "mlflow_import_flows.py"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(SCRATCH)}


def flow(name, version, source, target=""):
    with tempfile.TemporaryDirectory(dir=SCRATCH) as home:
        done = subprocess.run([str(python(version)), str(FLOWS), name], capture_output=True, text=True, timeout=600, cwd=home,
                              env={**os.environ, **QUIET, "SOURCE": source, "TARGET": target})
    check(done.returncode == 0, f"{name}: {done.stdout[-500:]}{done.stderr[-3000:]}")


class Mlflow:
    """MLflow's own server over a folder of its own, or one that is there."""

    def __init__(self, version=3, folder=None, options=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(dir=SCRATCH))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database, self.artifacts = self.folder / "mlflow.db", self.folder / "artifacts"
        self.log = tempfile.TemporaryFile("w+")
        options = options or ["--artifacts-destination", str(self.artifacts)]
        command = ["-m", "mlflow", "server", "--workers", "1", "--backend-store-uri", f"sqlite:///{self.database}", *options]
        environment = {}
        if version == 2:  # its command needs gunicorn; the application is the same
            command = ["-m", "flask", "--app", "mlflow.server:app", "run"]
            environment = {"_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.database}", "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
                           "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true", "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.artifacts)}
        self.process = subprocess.Popen([str(python(version)), *command, "--host", "127.0.0.1", "--port", str(self.port)], cwd=self.folder, stdout=self.log,
                                        stderr=self.log, start_new_session=True, env={**os.environ, **QUIET, **environment})
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def wait(self):
        import requests
        began = time.monotonic()
        while True:
            check(self.process.poll() is None and time.monotonic() - began < 180, f"no MLflow server: {self.said()}")
            try:
                if requests.get(f"{self.url}/health", timeout=5).text == "OK":
                    return
            except requests.ConnectionError:
                time.sleep(0.05)

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2000:]

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Proxy:
    """Stands before a server. allowed: values of Authorization; left: answers until it goes away; spoil: (path, body) -> body, or status and body."""

    def __init__(self, to, tls=None):
        proxy = self
        self.to, self.allowed, self.left, self.spoil, self.asked = to, None, None, None, 0
        self.held = threading.Event()
        self.hold_at = None

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                proxy.asked += 1
                if proxy.hold_at == proxy.asked:
                    proxy.held.set()
                    time.sleep(600)
                if proxy.left is not None:
                    proxy.left -= 1
                    if proxy.left < 0:
                        self.close_connection = True
                        self.connection.close()
                        return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if proxy.allowed is not None and self.headers.get("Authorization") not in proxy.allowed:
                    self.give(401, b"You are not authenticated.", "text/plain")
                    return
                there = http.client.HTTPConnection("127.0.0.1", proxy.to.port, timeout=60)
                there.request(self.command, self.path, body, {name: value for name, value in self.headers.items() if name != "Authorization"})
                got = there.getresponse()
                status, data = got.status, got.read()
                if proxy.spoil:
                    data = proxy.spoil(self.path, data)
                if isinstance(data, tuple):
                    status, data = data
                self.give(status, data, got.headers.get("Content-Type", ""))

            def give(self, status, data, kind):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # whoever was killed has gone away

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


FILLED = {}


@atexit.register
def close_filled():
    for one in FILLED.values():
        one.close()


def filled(version):
    """A server of this version with a little of everything; one for the whole suite."""
    if version not in FILLED:
        FILLED[version] = Mlflow(version)
        flow("fill", version, FILLED[version].url)
    return FILLED[version]


def axiom(*arguments, **environment):
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run([str(AXIOM), *map(str, arguments)], capture_output=True, text=True, timeout=300, env={**clean, **environment})
    check(done.returncode in (0, 1), f"{arguments}: {done.returncode} {done.stderr}")
    return done


def moved_in(url, folder, **environment):
    done = axiom("import", "mlflow", "--from", url, "--json", folder, **environment)
    check(done.returncode == 0, done.stderr)
    report = json.loads(done.stdout)
    check(report["differences"] == 0 and report["runs_checked"] == 6, f"{report}")
    return report


def refused(*arguments, says, **environment):
    done = axiom(*arguments, **environment)
    check(done.returncode == 1, f"{arguments}: {done.stdout}{done.stderr}")
    last = done.stderr.strip().splitlines()[-1]
    contains(last, says)
    check(all(letter.isprintable() for letter in last), f"{last!r} is not fit for a terminal")
    return last


def tree(folder):
    """Paths and bytes of all files below a folder, as clients see it."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")}


def new_database(version, folder):
    """A database as MLflow makes it before anybody uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(python(version)), "-m", "mlflow", "experiments", "search"], check=True, capture_output=True, timeout=300, cwd=folder,
                   env={**os.environ, **QUIET, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"})
    return folder / "mlflow.db"


def fresh():
    return pathlib.Path(tempfile.mkdtemp(dir=SCRATCH)) / "data"


class Over(Tracking):
    """Axiom over a directory that is there."""

    def __init__(self, data):
        self.data = data
        super().__init__()

    def start(self):
        self.folder = str(self.data.parent)
        super().start()


MOVED = []


def moved_directory():
    """A data directory with a little of everything; its server is stopped."""
    if not MOVED:
        MOVED.append(fresh())
        moved_in(filled(3).url, MOVED[0])
    return MOVED[0]


# ---- the tests ----

def test_a_server_of_mlflow_3_is_moved_and_moved_again():
    source, data = filled(3), fresh()
    report = moved_in(source.url, data)
    check(report["not_taken_over"] == [] and report["runs"] == 6 and report["logged_models"] == 1 and report["versions"] == 1, f"{report}")
    check(tree(source.artifacts) == tree(data / "artifacts"), "the files differ")
    again = moved_in(source.url, data)
    check({**again, "runs_skipped": 0} == report, f"{again} {report}")
    check(not (data / "import").exists(), "the work folder is left")
    with Over(data) as server:
        flow("compare", 3, source.url, server.url)
        flow("goes_on", 3, source.url, server.url)


def test_a_server_of_mlflow_2_is_moved():
    source, data = filled(2), fresh()
    report = moved_in(source.url, data)
    check(report["not_taken_over"] == [] and report["logged_models"] == 0, f"{report}")
    check(tree(source.artifacts) == tree(data / "artifacts"), "the files differ")
    with Over(data) as server:
        flow("compare", 2, source.url, server.url)


def test_files_in_folders_of_the_servers_machine_come_with_it():
    root = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH)) / "mlruns"
    with Mlflow(3, options=["--no-serve-artifacts", "--default-artifact-root", str(root)]) as source:
        flow("fill", 3, source.url)
        data = fresh()
        report = moved_in(source.url, data)
        check(report["not_taken_over"] == [] and report["files"] == len(tree(root)), f"{report}")
        check(sorted(tree(root).items()) == sorted(tree(data / "artifacts").items()), "the files differ")
        root.rename(root.parent / "away")
        with Over(data) as server:
            flow("goes_on", 3, source.url, server.url)


def test_a_server_that_goes_away_is_gone_on_with():
    data, cuts, more = fresh(), 0, 7
    with Proxy(filled(3)) as proxy:
        while True:
            proxy.left = more
            done = axiom("import", "mlflow", "--from", proxy.url, "--json", data)
            if done.returncode == 0:
                break
            contains(done.stderr, proxy.url)
            cuts, more = cuts + 1, more + 20
            check(cuts < 40, done.stderr)
        report = json.loads(done.stdout)
        check(cuts >= 3 and report["differences"] == 0 and report["runs_checked"] == 6 and report["not_taken_over"] == [], f"{cuts} {report}")
        check(tree(filled(3).artifacts) == tree(data / "artifacts"), "the files differ")
        with Over(data) as server, Over(moved_directory()) as other:
            flow("compare", 3, other.url, server.url)


def basic(pair):
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_only_with_the_right_password():
    with Proxy(filled(3)) as proxy:
        proxy.allowed = {basic("ann:s3cret"), "Bearer t0ken"}
        data = fresh()
        wrong = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "no"}
        for environment in ({}, wrong, {"MLFLOW_TRACKING_TOKEN": "no"}):
            refused("import", "mlflow", "--from", proxy.url, data, says="MLFLOW_TRACKING_PASSWORD", **environment)
            check(not data.exists(), "a directory is left where nothing was imported")
        refused("import", "mlflow", "--from", proxy.url.replace("//", "//ann:s3cret@"), data, says="MLFLOW_TRACKING_PASSWORD")
        moved_in(proxy.url, data, MLFLOW_TRACKING_USERNAME="ann", MLFLOW_TRACKING_PASSWORD="s3cret")
        moved_in(proxy.url, fresh(), MLFLOW_TRACKING_TOKEN="t0ken")


def test_over_tls_with_a_certificate_that_is_vouched_for():
    folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
    with Proxy(filled(3), tls=(folder / "cert.pem", folder / "key.pem")) as proxy:
        data = fresh()
        refused("import", "mlflow", "--from", proxy.url, data, says="certificate")
        check(proxy.asked == 0, "somebody was asked who could be anybody")
        moved_in(proxy.url, data, MLFLOW_TRACKING_SERVER_CERT_PATH=str(folder / "cert.pem"))


def changed(where, change):
    """A spoil: JSON answers of paths with this part, changed by a function."""
    def spoil(path, data):
        if where not in path:
            return data
        answer = json.loads(data or b"{}")
        return json.dumps(change(answer)).encode()
    return spoil


def with_runs(**members):
    def change(answer):
        for run in answer.get("runs", []) or [answer.get("run", {})]:
            run.get("info", {}).update(members)
        return answer
    return change


# What a server may answer, and what the last line says then.
REFUSED = {
    "no JSON": (lambda path, data: b"<html>welcome\x1b[31m</html>", "is not answered as MLflow's server answers"),
    "a list": (lambda path, data: b"[]", "no object"),
    "nothing": (lambda path, data: b"", "is not answered as MLflow's server answers"),
    "half of a page": (lambda path, data: data[:len(data) // 2] if "runs/search" in path else data, "is not answered"),
    "deep": (lambda path, data: b'{"experiments":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "127.0.0.1"),
    "experiments that are none": (changed("experiments/search", lambda answer: {"experiments": {"a": 1}}), "is no list"),
    "experiments without a name": (changed("experiments/search", lambda answer: {"experiments": [{"experiment_id": "1"}]}), 'no "name"'),
    "an id that is a path": (changed("experiments/search", lambda answer: {"experiments": [
        {"experiment_id": "../../x", "name": "x", "lifecycle_stage": "active"}]}), "no whole number"),
    "a name with NUL": (changed("experiments/search", lambda answer: {"experiments": [
        {"experiment_id": "1", "name": "x\0y", "lifecycle_stage": "active"}]}), "NUL"),
    "pages without end": (lambda path, data: (200, b'{"experiments": [{"experiment_id": "1", "name": "x", "lifecycle_stage": "active"}], '
                                              b'"next_page_token": "again"}'), "lead nowhere"),
    "empty pages": (changed("runs/search", lambda answer: {"runs": [], "next_page_token": os.urandom(4).hex()}), "lead nowhere"),
}


def test_a_page_that_is_malformed_ends_it_with_a_sentence():
    for name, (spoil, says) in REFUSED.items():
        with Proxy(filled(3)) as proxy:
            proxy.spoil = spoil
            try:
                refused("import", "mlflow", "--from", proxy.url, fresh(), says=says)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error


TOLD = {
    "a run in an unknown state": (changed("runs/get", with_runs(status="BORED\x1b")), "differ"),
    "a run of a word": (changed("runs/get", with_runs(start_time="yesterday")), "differ"),
    "points of words": (changed("get-history", lambda answer: {"metrics": [{"key": "loss", "value": "high"}]}), "differ"),
    "fewer points than before": (None, "differ"),
}


def test_what_is_wrong_in_itself_is_told_and_the_rest_comes():
    for name, (spoil, says) in TOLD.items():
        with Proxy(filled(3)) as proxy:
            seen = set()

            def forgetful(path, data):  # the second answer about a history is another one
                first = path not in seen
                seen.add(path)
                return data if first or "get-history" not in path else b"{}"

            proxy.spoil = spoil or forgetful
            last = refused("import", "mlflow", "--from", proxy.url, fresh(), says=says)
            contains(last, "things")


def test_files_stay_in_their_place():
    def lists(*names):
        return changed("mlflow-artifacts/artifacts?", lambda answer: {"files": [{"path": name, "is_dir": False, "file_size": 3} for name in names]})

    outside = SCRATCH / "outside.txt"
    for spoil, says in ((lists("../../../outside.txt", "..", "."), "a listing names"), (lists("%2e%2e", "a#b"), "Invalid path"),
                        (lists("nothing"), "answers 404"),
                        (lambda path, data: data[:-1] if path.endswith("n.txt") else data, "bytes came"),
                        (changed("experiments/search", lambda answer: {"experiments": [
                            {**one, "artifact_location": "mlflow-artifacts:/../../.."} for one in answer["experiments"]]}), "")):
        with Proxy(filled(3)) as proxy:
            proxy.spoil = spoil
            data = fresh()
            done = axiom("import", "mlflow", "--from", proxy.url, "--json", data)
            contains(done.stderr, says)
            check(not outside.exists() and {path.name for path in data.parent.iterdir()} == {"data"}, "a file went elsewhere")
            database = new_database(3, data.parent / "out")
            done = axiom("export", "mlflow", "--to", f"sqlite:///{database}", "--artifacts", data.parent / "out" / "files", proxy.url)
            contains(done.stderr, says)
            check({path.name for path in data.parent.iterdir()} == {"data", "out"}, "a file went elsewhere")


if __name__ == "__main__":
    run_suite(globals())
