"""MLflow's client against Axiom on PostgreSQL: the suites that run on SQLite, once more.

Each is run with AX_TEST_STORE=postgres, so that its servers keep what they have in databases of a PostgreSQL of its own.
"""
import os
import pathlib
import subprocess
import sys

from harness import Postgres, check, run_suite


def again(suite, *tests):
    with Postgres():  # or it is skipped
        pass
    done = subprocess.run([sys.executable, pathlib.Path(__file__).parent / f"{suite}.py", *tests], capture_output=True, text=True,
                          timeout=800, env={**os.environ, "AX_TEST_STORE": "postgres"})
    said = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("ok "))
    check(done.returncode == 0 and " 0 failed" in said, f"{suite}: {said}{done.stderr[-2000:]}")


def test_the_recorded_exchanges():
    again("mlflow_oracle")


def test_the_client():
    again("mlflow_client")


def test_a_logged_model_becomes_a_governed_decision():
    again("mlflow_governed")


def test_models_are_scored():
    again("mlflow_scoring")


def test_webhooks():
    again("mlflow_webhooks")


def test_a_program_becomes_a_run():
    again("mlflow_run")


if __name__ == "__main__":
    run_suite(globals())
