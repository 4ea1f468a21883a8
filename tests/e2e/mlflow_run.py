"""axiom run -- PROGRAM: what it notes of a program on a tracking server, and that the program does not notice."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from harness import AXIOM, check, contains, run_suite
from mlflow_oracle import Tracking


def start(server, *words, cwd=None, **environment):
    return subprocess.Popen([str(AXIOM), "run", *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                            env={**os.environ, "MLFLOW_TRACKING_URI": server.url, **environment})


def runs(server, experiment="0"):
    import requests
    found = requests.post(f"{server.url}/api/2.0/mlflow/runs/search", json={"experiment_ids": [experiment]}).json()["runs"]
    for run in found:
        run["tags"] = {one["key"]: one["value"] for one in run["data"].get("tags", [])}
        run["params"] = {one["key"]: one["value"] for one in run["data"].get("params", [])}
        run["metrics"] = {one["key"]: one["value"] for one in run["data"].get("metrics", [])}
    return found


def test_a_program_becomes_a_run():
    import requests
    program = "import os, sys, time; print('out', os.environ['MLFLOW_RUN_ID']); print('err', file=sys.stderr); print(sys.stdin.read()); time.sleep(0.6); sys.exit(3)"
    with Tracking() as server, tempfile.TemporaryDirectory() as folder:
        for command in (["init", "-q"], ["-c", "user.name=a", "-c", "user.email=b", "commit", "-q", "--allow-empty", "-m", "x"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True).stdout.strip()
        child = start(server, "--experiment", "new one", "--name", "first", "--interval", "0.2", "--env", "MINE,MY_TOKEN", "--",
                      sys.executable, "-c", program, "--depth", "3", "--rate=0.5", "--api-key", "hush", "plain",
                      cwd=folder, MINE="yes", MY_TOKEN="hush", CUDA_VISIBLE_DEVICES="1")
        out, err = child.communicate("typed in", timeout=60)
        check(child.returncode == 3, f"{child.returncode} {err}")
        run = runs(server, "1")[0]
        check(out == f"out {run['info']['run_id']}\ntyped in\n" and err == "err\n", f"{out} {err}")
        check(run["info"]["status"] == "FAILED" and run["info"]["run_name"] == "first" and run["info"]["end_time"] > run["info"]["start_time"], f"{run}")
        check(run["params"]["depth"] == "3" and run["params"]["rate"] == "0.5" and "plain" in run["params"].values(), f"{run['params']}")
        check(run["tags"]["mlflow.source.git.commit"] == head and run["tags"]["exit_code"] == "3" and run["tags"]["env.MINE"] == "yes", f"{run['tags']}")
        check(run["tags"]["env.CUDA_VISIBLE_DEVICES"] == "1" and run["params"]["api-key"] == "***", f"{run}")
        check("hush" not in str(run), "a secret was written down")
        for name in ("system/cpu_utilization_percentage", "system/system_memory_usage_megabytes", "system/disk_usage_percentage",
                     "system/network_receive_megabytes", "system/process_memory_usage_megabytes"):
            check(name in run["metrics"], f"{name}: {run['metrics']}")
        log = requests.get(f"{server.url}/get-artifact?run_id={run['info']['run_id']}&path=output.log").text
        check(all(word in log for word in ("out ", "err", "typed in")), log)


def test_signals_reach_the_program_and_the_run_is_killed():
    with Tracking() as server:
        program = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('asked'), sys.exit(5))); print('ready', flush=True); time.sleep(60)"
        child = start(server, "--", sys.executable, "-c", program)
        check(child.stdout.readline() == "ready\n", "it runs")
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate(timeout=30)
        check(child.returncode == 5 and out == "asked\n", f"{child.returncode} {out}")
        check(runs(server)[0]["info"]["status"] == "KILLED", "KILLED")
        child = start(server, "--", "sh", "-c", "kill -9 $$")
        child.communicate(timeout=30)
        check(child.returncode == 137, f"{child.returncode}")
        check([run["info"]["status"] for run in runs(server)] == ["KILLED", "KILLED"], "both")


def test_a_finished_program_and_one_that_is_not_there():
    with Tracking() as server:
        child = start(server, "--", "true")
        child.communicate(timeout=30)
        check(child.returncode == 0 and runs(server)[0]["info"]["status"] == "FINISHED", "FINISHED")
        child = start(server, "--", "/no/such/program")
        _, err = child.communicate(timeout=30)
        check(child.returncode == 127 and "no such" in err.lower(), f"{child.returncode} {err}")
        check(runs(server)[0]["info"]["status"] == "FAILED", "FAILED")


def test_without_a_server_nothing_is_started():
    away = subprocess.run([str(AXIOM), "run", "--url", "http://127.0.0.1:9", "--", "touch", "/tmp/axiom-run-never"], capture_output=True, text=True, timeout=30)
    check(away.returncode == 1 and not pathlib.Path("/tmp/axiom-run-never").exists(), away.stderr)
    nowhere = subprocess.run([str(AXIOM), "run", "--", "true"], capture_output=True, text=True, timeout=30,
                             env={key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"})
    check(nowhere.returncode == 1 and "MLFLOW_TRACKING_URI" in nowhere.stderr, nowhere.stderr)


if __name__ == "__main__":
    run_suite(globals())
