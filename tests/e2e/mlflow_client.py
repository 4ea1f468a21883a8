"""MLflow's own clients, 3.18.0 and 2.22.5, unchanged: MLFLOW_TRACKING_URI points at Axiom and nothing else differs.

Each flow of mlflow_flows.py runs in the client's environment (.deps/mlflow-3, .deps/mlflow-2; `tools/setup tests` makes them) against a
server of its own. What the clients left is then looked at from outside: files by their paths, facts, what a crash lost.
"""
import base64
import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from harness import ROOT, Skip, check, contains, deployed, run_suite
from mlflow_oracle import Tracking

FLOWS = ROOT / "tests" / "e2e" / "mlflow_flows.py"


def python(version):
    found = pathlib.Path(os.environ.get(f"MLFLOW_{version}_PYTHON", ROOT / ".deps" / f"mlflow-{version}" / "bin" / "python"))
    if not found.exists():
        raise Skip(f"{found} is not there: tools/setup tests makes it")
    return found


def flow(name, version=3, server=None, **environment):
    def body(at):
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([str(python(version)), str(FLOWS), name], capture_output=True, text=True, timeout=300, cwd=home,
                                  env={**os.environ, "MLFLOW_TRACKING_URI": at.url, "HOME": home, **environment})
        check(done.returncode == 0, f"{name}: {done.stdout[-500:]}{done.stderr[-3000:]}\n{at.said()[-1000:]}")
    if server:
        body(server)
        return
    with Tracking() as at:
        body(at)


def test_tracking():
    flow("tracking")


def test_tracking_with_mlflow_2():
    flow("tracking", 2)


def test_batches_and_pages():
    flow("batches")


def test_batches_and_pages_with_mlflow_2():
    flow("batches", 2)


def test_registry():
    flow("registry")


def test_registry_with_mlflow_2():
    flow("registry", 2)


def test_datasets_tables_and_images():
    flow("data")


def test_models_by_every_address():
    flow("models")


def test_autologging():
    flow("autologging")


def test_artifacts_in_parts():
    flow("large")


def test_a_server_starts_for_every_test():
    """Empty folder to healthy, and again over what is there."""
    import requests
    with Tracking() as server:
        made = requests.post(f"{server.url}/api/2.0/mlflow/experiments/create", json={"name": "kept"})
        check(made.json() == {"experiment_id": "1"}, made.text)
        contains(server.said(), "development_tracking_server", "no credentials")
        server.stop()
        server.start()
        check(requests.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=1").json()["experiment"]["name"] == "kept", "it is kept")
        check(server.started < 2, f"{server.started} s to start")


def test_artifacts_are_plain_files():
    import requests
    with tempfile.TemporaryDirectory() as destination, Tracking("--artifacts-destination", destination) as server:
        address = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/1/abc/artifacts"
        for name in ("a.txt", "d/same.txt"):
            check(requests.put(f"{address}/{name}", data=b"bytes").status_code == 200, name)
        check(pathlib.Path(destination, "1/abc/artifacts/d/same.txt").read_bytes() == b"bytes", "a real file")
        check(pathlib.Path(destination, "1/abc/artifacts/a.txt").stat().st_nlink == 3, "equal bytes are there once")
        check(requests.get(f"{address}/a.txt", headers={"Range": "bytes=1-2"}).content == b"yt", "a range")
        pathlib.Path(destination, "1/abc/artifacts/laid.txt").write_text("by hand")
        check(requests.get(f"{address}/laid.txt").text == "by hand", "what others laid there")
        with open(pathlib.Path(destination, "1/abc/artifacts/a.txt"), "r+b") as file:
            file.write(b"B")
        damaged = requests.get(f"{address}/a.txt")
        check(damaged.status_code == 500 and "damaged" in damaged.text, f"{damaged.status_code} {damaged.text}")
        check(requests.delete(f"{server.url}/api/2.0/mlflow-artifacts/artifacts/1").json() == {}, "deleted")
        left = [path for path in pathlib.Path(destination).rglob("*") if path.is_file()]
        check(not left, f"{left}")


def test_without_credentials_only_this_machine_is_served():
    import requests
    with Tracking() as server:
        answer = requests.get(f"{server.url}/api/2.0/mlflow/experiments/get?experiment_id=0", headers={"Host": "evil.example"})
        check(answer.status_code == 403, answer.text)
    refused = subprocess.run([str(os.environ.get("AXIOM", ROOT / "build" / "axiom")), "serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", "/tmp/never"],
                             capture_output=True, text=True, timeout=20)
    check(refused.returncode == 1 and "loopback" in refused.stderr, refused.stderr)
    check(not pathlib.Path("/tmp/never").exists(), "nothing was made")


def lives(server, write, count, seconds):
    """Four threads write until kill -9 ends the server; after each next start the caller looks at what is there."""
    for life in range(count):
        writers = [threading.Thread(target=write, args=(f"{life}_{at}",)) for at in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(seconds)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        for writer in writers:
            writer.join()
        server.start()
        yield


def test_kill_nine_while_batches_are_logged():
    """What was acknowledged is there; a batch is there whole or not at all."""
    import requests
    with Tracking() as server:
        run = requests.post(f"{server.url}/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
        acknowledged = []

        def log(writer):
            session = requests.Session()
            for batch in range(10_000):
                points = [{"key": f"w{writer}", "value": at, "timestamp": batch, "step": batch * 50 + at} for at in range(50)]
                try:
                    answer = session.post(f"{server.url}/api/2.0/mlflow/runs/log-batch", json={"run_id": run, "metrics": points})
                except requests.ConnectionError:
                    return
                if answer.status_code == 200:
                    acknowledged.append((writer, batch))

        for _ in lives(server, log, 3, 0.5):
            for writer in {one for one, _ in acknowledged}:
                history = requests.get(f"{server.url}/api/2.0/mlflow/metrics/get-history", params={"run_id": run, "metric_key": f"w{writer}"}).json()
                steps = {int(point["step"]) for point in history["metrics"]}
                kept = {step // 50 for step in steps}
                lost = {batch for one, batch in acknowledged if one == writer} - kept
                check(not lost, f"{len(lost)} acknowledged batches are lost")
                check(len(steps) == 50 * len(kept), "a batch is there in part")
        check(len(acknowledged) > 10, f"{len(acknowledged)} batches")


def test_kill_nine_while_files_are_uploaded():
    """A file that was acknowledged is there, whole; of one that was not, nothing is to be seen or left lying about."""
    import requests
    with Tracking() as server:
        destination = pathlib.Path(server.folder, "data", "artifacts")
        address = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts"
        kept = {}

        def put(writer):
            for at in range(10_000):
                name, data = f"{writer}/{at}.bin", f"{writer} {at} ".encode() * 100_000
                try:
                    answer = requests.put(f"{address}/{name}", data=data)
                except requests.ConnectionError:
                    return
                if answer.status_code == 200:
                    kept[name] = data

        for _ in lives(server, put, 3, 0.4):
            for name, data in kept.items():
                check(requests.get(f"{address}/{name}").content == data, f"{name} was acknowledged")
            shown = [path for path in (destination / "0").rglob("*") if path.is_file()]
            check(all(path.read_bytes() == f"{path.parent.name} {path.stem} ".encode() * 100_000 for path in shown), "a file is there in part")
            check(not list((destination / ".blobs" / "incoming").iterdir()), "what was not finished is left")
        check(len(kept) > 5, f"{len(kept)} files")


def test_kill_nine_while_versions_are_registered():
    """Numbers of versions that were acknowledged are there, each once and without a gap."""
    import requests
    with Tracking() as server:
        api = f"{server.url}/api/2.0/mlflow"
        requests.post(f"{api}/registered-models/create", json={"name": "m"})
        known, again = set(), []

        def register(_writer):
            session = requests.Session()
            for _ in range(10_000):
                try:
                    answer = session.post(f"{api}/model-versions/create", json={"name": "m", "source": "s3://bucket/model"})
                except requests.ConnectionError:
                    return
                if answer.status_code == 200:
                    number = int(answer.json()["model_version"]["version"])
                    if number in known:
                        again.append(number)
                    known.add(number)

        for _ in lives(server, register, 2, 0.4):
            found = requests.get(f"{api}/model-versions/search", params={"filter": "name='m'", "max_results": 10_000}).json()["model_versions"]
            numbers = {int(version["version"]) for version in found}
            check(known <= numbers, f"{sorted(known - numbers)} were acknowledged")
            check(numbers == set(range(1, len(numbers) + 1)), "a number is missing")
        check(not again, f"versions {again} were given twice")
        check(len(known) > 5, f"{len(known)} versions")


def test_a_governed_server_asks_who_and_whether_it_is_approved():
    import requests
    with deployed("--tracking.promotion", "enforce") as bank:
        url = bank.server.url
        dana = {"Authorization": f"Bearer {bank.people['dana'].token}"}
        check(requests.get(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0").status_code == 401, "nobody is let in unnamed")
        basic = "Basic " + base64.b64encode(f"dana:{bank.people['dana'].token}".encode()).decode()
        for headers in (dana, {"Authorization": basic}):
            answer = requests.get(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0", headers=headers)
            check(answer.status_code == 200, answer.text)
        other = "Basic " + base64.b64encode(f"ada:{bank.people['dana'].token}".encode()).decode()
        check(requests.get(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0", headers={"Authorization": other}).status_code == 401, "another's name")
        api = f"{url}/api/2.0/mlflow"
        requests.post(f"{api}/registered-models/create", json={"name": "fresh"}, headers=dana)
        made = requests.post(f"{api}/model-versions/create", json={"name": "fresh", "source": "s3://b/m"}, headers=dana)
        check(made.json()["model_version"]["version"] == "1", made.text)
        refused = requests.post(f"{api}/model-versions/transition-stage", json={"name": "fresh", "version": "1", "stage": "Production"}, headers=dana)
        check(refused.status_code == 403 and refused.json()["error_code"] == "PERMISSION_DENIED", refused.text)
        contains(refused.json()["message"], "fresh/1", "not approved")
        refused = requests.post(f"{api}/registered-models/alias", json={"name": "fresh", "alias": "champion", "version": "1"}, headers=dana)
        check(refused.status_code == 403, refused.text)
        fine = requests.post(f"{api}/registered-models/alias", json={"name": "credit", "alias": "champion", "version": "1"}, headers=dana)
        check(fine.status_code == 200, fine.text)
        kept = requests.delete(f"{api}/registered-models/delete", json={"name": "credit"}, headers=dana)
        check(kept.status_code == 403, kept.text)
        inventory = bank.people["dana"].http("GET", "/api/v1/models/fresh")[1]
        check(inventory["versions"][0]["state"] == "registered" and inventory["versions"][0]["format"] == "mlflow", f"{inventory}")


if __name__ == "__main__":
    run_suite(globals())
