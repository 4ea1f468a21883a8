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
import inspect
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
                   "--webhooks.allow_private", "true", "--net.head_bytes_max", "64KiB"]
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


# What is left out: why, and which tests, by their names or by words in their bodies.
LEFT_OUT = [
    ("MLflow's store of files, not a server's database", r"\[file\b", None),
    ("traces, assessments, scorers and evaluation data are not offered", r"trace|span|assessment|scorer|otel",
     r"trace|assessment|scorer|create_dataset\(|create_evaluation_dataset"),
    ("GraphQL, the gateway and the prompt lab are not offered", r"graphql|gateway|promptlab|secrets|endpoint", None),
    ("looks into MLflow's own database, process or settings",
     r"calls_optimized_impl|with_validation_regex|suppress_url_printing|test_list_models|with_large_experiment|large_data|"
     r"test_log_batch_internal_error|test_get_registered_model$|"
     r"test_rest_get_model_version_artifact_api_proxied_artifact_root|default_experiment_lifecycle|test_upgrade_cli|test_fail_on_|test_correct_db_type",
     r"ManagedSessionMaker|store\.(engine|db_uri|DEFAULT_EXPERIMENT_ID|_\w+)|_get_store\(|TRUNCATE_LONG_VALUES|"
     r"patch\(\s*[\"'](mlflow\.store\.\w+\.|mlflow\.tracking\.fluent|\w+\.)*sqlalchemy"),
    ("what the client changes on the way over REST: MLflow's own server fails it too",
     r"(sqlalchemy_store|test_tracking)\.py::test_(create_logged_model|create_experiment|create_registered_model|update_registered_model|update_model_version|create_model_version|"
     r"create_webhook|list_webhooks|get_latest_versions|search_model_versions|search_registered_models|log_batch_null_metrics|"
     r"log_batch_validates_entity_names_and_values|search_experiments_max_results_validation|log_inputs_fails_with_missing_inputs|"
     r"search_experiments_(filter_by|order_by)_time_attribute|search_model_versions_(order_by_simple|pagination|by_tag)|"
     r"search_registered_model_pagination|set_model_version_tag|delete_model_version_(tag|redaction|deletes_alias)|delete_model_deletes_alias|"
     r"(set|delete)_registered_model_alias|get_model_version_by_alias|get_model_version_download_uri|search_prompts_versions|"
     r"(create|update)_webhook_invalid_events|get_metric_history_with_max_results|get_artifact_uri_appends_to_local_path_component_correctly|log_metric_validation)$|"
     r"test_create_experiments_with_bad_name|test_copy_model_version\[|test_create_logged_model_invalid_name\[\]|#fragment|"
     r"test_create_webhook_invalid_(names|urls)\[-", None),
    ("a version from 3.9 on answers so", r"test_path_validation", None),
    ("bad input is answered with 400, never with 500", r"test_create_model_version_with_file_uri", None),
    ("runs without a name get one of Axiom's own words", r"test_get_run_with_name", None),
    ("needs uv, docker or another MLflow", r"2_x_model|test_mlflow_artifacts_example", None),
]


class Count:
    """What became of every test, for whoever started pytest: written to MLFLOW_COUNT at the end."""

    def __init__(self, path):
        self.path = path
        self.ends = {}
        self.left_out = {}

    def pytest_collection_modifyitems(self, config, items):
        kept = []
        for item in items:
            reason = why_left_out(item)
            if reason:
                self.left_out[item.nodeid] = reason
            else:
                kept.append(item)
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in self.left_out])
        items[:] = kept

    def pytest_collectreport(self, report):
        if report.failed:
            self.ends[report.nodeid] = "failed"

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.ends[report.nodeid] = "failed"
        elif report.skipped:
            expected = getattr(report, "wasxfail", None) is not None
            self.ends.setdefault(report.nodeid, "expected to fail" if expected else "skipped")
        elif report.when == "call":
            self.ends.setdefault(report.nodeid, "passed")

    def pytest_sessionfinish(self):
        import mlflow
        with open(self.path, "w") as file:
            json.dump({"version": mlflow.__version__, "ends": self.ends, "left_out": self.left_out}, file)


def why_left_out(item):
    body = inspect.getsource(item.function)
    for reason, named, inside in LEFT_OUT:
        if re.search(named, item.nodeid) or (inside and re.search(inside, body, re.IGNORECASE)):
            return reason
    return None


def pytest_configure(config):
    path = os.environ.get("MLFLOW_COUNT")
    if path:
        config.pluginmanager.register(Count(path))


def pytest_make_collect_report(collector):
    """Before pytest looks for fixtures in a module; one that cannot be imported is left for pytest to tell."""
    import pytest
    if not isinstance(collector, pytest.Module):
        return
    name = collector.path.relative_to(collector.config.rootpath).as_posix()
    if name in FILES:
        with contextlib.suppress(collector.CollectError):
            for word, value in FILES[name](collector.obj).items():
                setattr(collector.obj, word, value)


# ---- started by itself: runs them and counts ----

def run_tests(source, files):
    """The count of one run, or None when pytest did not come to its end, with what it said."""
    python = os.environ.get("MLFLOW_PYTHON", sys.executable)
    path = os.pathsep.join([str(pathlib.Path(__file__).parent), source])
    with tempfile.TemporaryDirectory(prefix="axiom-mlflow-") as folder:
        count = pathlib.Path(folder) / "count.json"
        # their own retries hide a 5xx for minutes
        own = {"PYTHONPATH": path, "MLFLOW_COUNT": str(count), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
        done = subprocess.run([python, "-m", "pytest", "-q", "--tb=short", "--color=no", "-p", "mlflow_plugin", "-p", "no:cacheprovider",
                               f"--rootdir={source}", *files],
                              cwd=source, capture_output=True, text=True, env={**os.environ, **own})
        said = done.stdout[-20_000:] + done.stderr[-4_000:]
        return (json.loads(count.read_text()) if count.exists() else None), said


def tell(count):
    """Every file's numbers, then what was left out and why."""
    words = ("passed", "failed", "expected to fail", "skipped")
    for file in FILES:
        ends = [end for test, end in count["ends"].items() if test.partition("::")[0] == file]
        left = sum(test.partition("::")[0] == file for test in count["left_out"])
        if ends or left:
            print(f"{file}: " + ", ".join(f"{ends.count(word)} {word}" for word in words if word in ends or word in words[:2]) + f", {left} left out")
    for reason in dict.fromkeys(reason for reason, _, _ in LEFT_OUT):
        print(f"left out, {sum(one == reason for one in count['left_out'].values())}: {reason}")
    for test, end in count["ends"].items():
        if end == "failed":
            print(f"FAILED {test}")


def plain(test):
    """A test's name as every version has it: files move, and later ones run in workspaces too."""
    return test.replace("/sqlalchemy_store/test_sqlalchemy_store.py", "/test_sqlalchemy_store.py").replace("[workspace-disabled]", "").replace(
        "[workspace-disabled-", "[")


def tell_lists(count, folder):
    ends = {plain(test): end for test, end in count["ends"].items()}
    left = {plain(test): reason for test, reason in count["left_out"].items()}
    for path in sorted(pathlib.Path(folder).glob("*.txt")):
        names = [plain(line.strip()) for line in path.read_text().splitlines() if "::" in line]
        here = [name for name in names if name in ends or name in left]
        print(f"{path.name}: {len(names)} names, {len(here)} in this version, {sum(ends.get(name) == 'passed' for name in here)} pass, "
              f"{sum(name in left for name in here)} left out")
        for name in here:
            if name in ends and ends[name] != "passed":
                print(f"  {ends[name]}: {name}")


def main():
    source = os.environ.get("MLFLOW_SOURCE")
    if not source:
        print("SKIP mlflows_own_tests")
        print("skipped: MLFLOW_SOURCE names no checkout of MLflow, whose wheel has no tests")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    count, said = run_tests(source, [file for file in FILES if (pathlib.Path(source) / file).exists()])
    if not count or not count["ends"]:
        print(said)
        print("0 passed, 1 failed")
        return 1
    print(f"MLflow {count['version']}")
    tell(count)
    if os.environ.get("MLFLOW_LISTS"):
        tell_lists(count, os.environ["MLFLOW_LISTS"])
    ends = list(count["ends"].values())
    if "failed" in ends:
        print(said)
    print(f"{ends.count('passed')} passed, {ends.count('failed')} failed, {len(ends) - ends.count('passed') - ends.count('failed')} skipped")
    return 1 if "failed" in ends else 0


if __name__ == "__main__":
    sys.exit(main())
