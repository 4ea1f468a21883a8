"""Models that MLflow's client logged and registered, served by Axiom's own engine: the same answers as mlflow.pyfunc.

A version is made servable when it is registered, from its MLmodel file; in development mode it is loaded by name, on a governed
server it is validated, approved and deployed first. What cannot be read natively says what to log instead.
"""
import os
import subprocess
import tempfile

from harness import ROOT, check, contains, run_suite
from mlflow_client import python
from mlflow_oracle import Tracking

FLOWS = ROOT / "tests" / "e2e" / "mlflow_scoring_flows.py"


def flow(name, server, version=3):
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([str(python(version)), str(FLOWS), name], capture_output=True, text=True, timeout=600, cwd=home,
                              env={**os.environ, "MLFLOW_TRACKING_URI": server.url, "HOME": home})
    check(done.returncode == 0, f"{name}: {done.stdout[-500:]}{done.stderr[-3000:]}\n{server.said()[-1000:]}")


def test_registered_models_answer_as_mlflow_does():
    with Tracking() as server:
        flow("serving", server)
        # and again after a start, by address
        server.stop()
        server.start("--model", "models:/xgb-booster@champion", "--model", "models:/lgb/1", "--model", "models:/sk")
        flow("again", server)
        import requests
        names = {model["name"] for model in requests.post(f"{server.url}/v2/repository/index").json()}
        check(names == {"xgb-booster", "lgb", "sk"}, f"{names}")


def test_what_cannot_be_read_says_what_to_log():
    with Tracking() as server:
        flow("hints", server)


if __name__ == "__main__":
    run_suite(globals())
