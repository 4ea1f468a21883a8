"""A plugin for pytest that points MLflow's own tests at Axiom; and, started by itself, what counts them.

    MLFLOW_SOURCE=DIR MLFLOW_PYTHON=VENV/bin/python python3 tests/e2e/mlflow_plugin.py

MLflow's tests know no address of a server. Those of its server start one in the process, with an empty database a test; those of its
database's stores make a store over a file; those of its fluent interface log into a database of their own. When a module of theirs has
been imported, and before pytest looks into it, the few names in it that do so are replaced: by ones that start `axiom serve` over a new
folder, by a store that speaks REST to that, or by its address. The tests are not in MLflow's wheel: MLFLOW_SOURCE names a checkout, and
MLFLOW_PYTHON a Python with what that version and its tests need, pytest among it. Nothing of it is copied or changed.

What is left out, and why, is in LEFT_OUT. MLFLOW_LISTS may name a folder of files with names of tests, one a line: how many of those
there are in this version, and how many pass, is printed too.
"""
import contextlib
import json
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


class Server:
    """One `axiom serve` over a folder of its own; also what MLflow's ServerThread is to its tests: a context that gives the address."""

    def __init__(self, artifact_root=None, destination=None, port=None):
        self.folder = tempfile.mkdtemp(prefix="axiom-mlflow-")
        if not port:
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

    kill = stop

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.stop()


# ---- what is replaced in a module of theirs, by name ----

def live(_):
    """The fixtures say where artifacts are and then start a server in the process."""
    import mlflow
    root = {}

    def initialize(_, default_artifact_root=None, **__):
        root["artifacts"] = default_artifact_root

    class ServerThread(Server):
        def __init__(self, *_):
            super().__init__(root["artifacts"])

        def __enter__(self):
            mlflow.set_tracking_uri(self.url)
            return self.url

    @contextlib.contextmanager
    def init_server(root_artifact_uri=None, **_):
        with Server(root_artifact_uri) as url:
            mlflow.set_tracking_uri(url)
            yield url

    return {"initialize_backend_stores": initialize, "ServerThread": ServerThread, "_init_server": init_server}


def launched(_):
    """One server a module, by MLflow's command."""
    def launch(_, port, __, default_artifact_root, artifacts_destination):
        return Server(default_artifact_root, artifacts_destination, port)

    return {"_launch_server": launch}


def rest_fixture(kind):
    import pytest
    from mlflow.utils.rest_utils import MlflowHostCreds

    @pytest.fixture
    def store(tmp_path):
        with Server((tmp_path / "artifacts").as_uri()) as url:
            yield kind(lambda: MlflowHostCreds(url))

    return {"store": store}


def tracking_store(_):
    """The REST store, with what the SQL store's callers may leave out."""
    from mlflow.entities import ViewType
    from mlflow.store.tracking import SEARCH_MAX_RESULTS_DEFAULT
    from mlflow.store.tracking.rest_store import RestStore

    class Store(RestStore):
        def create_run(self, experiment_id, user_id, start_time, tags, run_name):
            return super().create_run(experiment_id, user_id, start_time, tags or [], run_name)

        def search_experiments(self, view_type=ViewType.ACTIVE_ONLY, max_results=SEARCH_MAX_RESULTS_DEFAULT, *others, **named):
            return super().search_experiments(view_type, max_results, *others, **named)

    return rest_fixture(Store)


def registry_store(module):
    """Versions without a source of their own are of a remote one: a path on the server's disk must belong to a run, which no test makes."""
    from mlflow.store.model_registry.rest_store import RestStore
    maker = module._mv_maker
    maker.__defaults__ = ("s3://path/to/source", *maker.__defaults__[1:])
    return rest_fixture(RestStore)


def fluent(_):
    import pytest
    from mlflow.tracking._tracking_service.utils import _use_tracking_uri

    @pytest.fixture(autouse=True)
    def tracking_uri_mock(tmp_path):
        with Server((tmp_path / "artifacts").as_uri()) as url, _use_tracking_uri(url):
            yield url

    return {"tracking_uri_mock": tracking_uri_mock}


FILES = {
    "tests/tracking/test_rest_tracking.py": live,
    "tests/tracking/test_model_registry.py": live,
    "tests/tracking/test_client_webhooks.py": live,
    "tests/store/model_registry/test_rest_store_webhooks.py": live,
    "tests/tracking/test_mlflow_artifacts.py": launched,
    "tests/store/tracking/test_sqlalchemy_store.py": tracking_store,
    "tests/store/tracking/sqlalchemy_store/test_sqlalchemy_store.py": tracking_store,
    "tests/store/model_registry/test_sqlalchemy_store.py": registry_store,
    "tests/tracking/test_tracking.py": fluent,
    "tests/tracking/test_log_image.py": fluent,
    "tests/tracking/test_log_figure.py": fluent,
    "tests/tracking/_model_registry/test_model_registry_fluent.py": fluent,
    "tests/store/artifact/test_runs_artifact_repo.py": fluent,
    "tests/store/artifact/test_models_artifact_repo.py": fluent,
}


def replace_names(module):
    """Before pytest looks for fixtures in it; a module that cannot be imported is left for pytest to tell."""
    import pytest
    if not isinstance(module, pytest.Module):
        return
    name = module.path.relative_to(module.config.rootpath).as_posix()
    if name in FILES:
        with contextlib.suppress(module.CollectError):
            for word, value in FILES[name](module.obj).items():
                setattr(module.obj, word, value)


def pytest_make_collect_report(collector):
    replace_names(collector)
