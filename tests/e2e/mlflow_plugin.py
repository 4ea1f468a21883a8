"""A plugin for pytest that points MLflow's own live-server tests at Axiom; and, started by itself, what counts them.

    MLFLOW_SOURCE=DIR .deps/mlflow-3/bin/python -m pytest -p mlflow_plugin tests/tracking/test_model_registry.py

MLflow's tests know no address of a server: their fixtures start one in the process, with an empty database a test. Before they are
collected the few functions that do so are replaced by ones that start `axiom serve` over a new folder. The tests are not in MLflow's
wheel: MLFLOW_SOURCE names a checkout of the version that is installed. Nothing of it is copied or changed.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
AXIOM = os.environ.get("AXIOM", str(ROOT / "build" / "axiom"))
FILES = ["tests/tracking/test_rest_tracking.py", "tests/tracking/test_model_registry.py", "tests/tracking/test_client_webhooks.py",
         "tests/store/model_registry/test_rest_store_webhooks.py", "tests/tracking/test_mlflow_artifacts.py"]
# What is no test of a server, or of what Axiom leaves out: generative models, GraphQL, MLflow's own process.
LEFT_OUT = ("trace or assessment or scorer or graphql or gateway or promptlab or evaluation_dataset or secrets or endpoint or "
            "test_get_metric_history_bulk_calls_optimized_impl_when_expected or test_create_model_version_with_validation_regex or "
            "test_list_models or test_suppress_url_printing or test_log_url_includes_workspace_when_set or test_mlflow_artifacts_example or "
            "test_rest_get_model_version_artifact_api_proxied_artifact_root or file")


class Server:
    """One `axiom serve` over a folder of its own; also what MLflow's ServerThread is to its tests: a context that gives the address."""

    def __init__(self, artifact_root=None, destination=None):
        self.folder = tempfile.mkdtemp(prefix="axiom-mlflow-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [AXIOM, "serve", "--host", "127.0.0.1", "--port", str(port), "--data-dir", f"{self.folder}/data", "--server.log_level", "warn",
                   "--webhooks.allow_private", "true"]
        if artifact_root:
            command += ["--default-artifact-root", artifact_root]
        if destination:
            command += ["--artifacts-destination", destination]
        self.process = subprocess.Popen(command)
        self.wait()

    def wait(self):
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.002)
        raise RuntimeError(f"axiom did not start: {self.process.poll()}")

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.stop()


def pytest_configure(config):
    """Before collection: the tests import these names."""
    import contextlib
    import mlflow
    from mlflow.server import handlers
    try:
        from tests.tracking import integration_test_utils as utils
    except ImportError:  # no checkout on the path: nothing to replace
        return
    roots = {"artifacts": None}

    def initialize(backend_uri=None, default_artifact_root=None, *_, **__):
        roots["artifacts"] = default_artifact_root

    class ServerThread(Server):
        def __init__(self, *_, **__):
            super().__init__(roots["artifacts"])

        def __enter__(self):
            mlflow.set_tracking_uri(self.url)
            return self.url

    @contextlib.contextmanager
    def init_server(backend_uri=None, root_artifact_uri=None, *_, **__):
        with Server(root_artifact_uri) as url:
            mlflow.set_tracking_uri(url)
            yield url

    handlers.initialize_backend_stores = initialize
    utils.ServerThread = ServerThread
    utils._init_server = init_server


def main():
    source = os.environ.get("MLFLOW_SOURCE")
    if not source:
        print("SKIP mlflows_own_tests")
        print("skipped: MLFLOW_SOURCE names no checkout of MLflow, whose wheel has no tests")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    python = ROOT / ".deps" / "mlflow-3" / "bin" / "python"
    found = [file for file in FILES if (pathlib.Path(source) / file).exists()]
    path = os.pathsep.join([str(pathlib.Path(__file__).parent), source])
    done = subprocess.run([str(python), "-m", "pytest", "-q", "-p", "mlflow_plugin", "-p", "no:cacheprovider", "-k", f"not ({LEFT_OUT})", *found],
                          cwd=source, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path, "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"})
    print(done.stdout[-20_000:], done.stderr[-4_000:])
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout.splitlines()[-1] if done.stdout else "")}
    print(f"{counts.get('passed', 0)} passed, {counts.get('failed', 0) + counts.get('error', 0)} failed, {counts.get('skipped', 0)} skipped")
    return 0 if counts.get("passed") and done.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
