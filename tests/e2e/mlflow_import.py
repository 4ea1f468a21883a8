"""An MLflow database, filled by MLflow's own client through its own SQL store, moved over and compared through the client on both sides."""
import json
import os
import pathlib
import subprocess
import tempfile

from harness import AXIOM, ROOT, check, contains, run_suite
from mlflow_client import python
from mlflow_oracle import Tracking

FLOWS = ROOT / "tests" / "e2e" / "mlflow_import_flows.py"


def flow(name, home, **environment):
    done = subprocess.run([str(python(3)), str(FLOWS), name], capture_output=True, text=True, timeout=600, cwd=home,
                          env={**os.environ, "HOME": str(home), "SOURCE": f"sqlite:///{home}/mlflow.db", **environment})
    check(done.returncode == 0, f"{name}: {done.stdout[-500:]}{done.stderr[-3000:]}")


def import_into(folder, home, *options):
    return subprocess.run([str(AXIOM), "import", "mlflow", "--from", f"sqlite:///{home}/mlflow.db", *options, folder],
                          capture_output=True, text=True, timeout=300)


def test_a_database_is_moved_and_looks_the_same_through_the_client():
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        flow("fill", home)
        before = (home / "mlflow.db").read_bytes()
        with Tracking() as server:
            folder = f"{server.folder}/data"
            busy = import_into(folder, home)
            check(busy.returncode != 0 and "another server" in busy.stderr, busy.stderr)
            server.stop()
            done = import_into(folder, home, "--json")
            check(done.returncode == 0, done.stderr)
            report = json.loads(done.stdout)
            check(report["runs"] == report["runs_checked"] == 6 and report["differences"] == 0, f"{report}")
            check(report["not_taken_over"] == [], f"{report}")
            check((home / "mlflow.db").read_bytes() == before, "the source is only read")
            again = import_into(folder, home)
            check(again.returncode == 0 and "6  runs\n" in again.stdout, again.stdout + again.stderr)
            server.start()
            flow("compare", home, TARGET=server.url)


def test_what_is_no_mlflow_database_is_refused():
    with tempfile.TemporaryDirectory() as home:
        (pathlib.Path(home) / "mlflow.db").write_bytes(b"")
        done = import_into(f"{home}/new", home)
        check(done.returncode == 1 and "no MLflow database" in done.stderr, done.stderr)
        other = subprocess.run([str(AXIOM), "import", "mlflow", "--from", "mysql://x", f"{home}/new"], capture_output=True, text=True)
        check(other.returncode == 1 and "postgresql://" in other.stderr, other.stderr)
        check(not (pathlib.Path(home) / "new").exists(), "a directory is left where nothing was imported")


if __name__ == "__main__":
    run_suite(globals())
