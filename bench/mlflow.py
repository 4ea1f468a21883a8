#!/usr/bin/env python3
"""The tracking server beside MLflow's own, in one run: start, logging, 16 writers, searches, artifacts.

usage: mlflow.py [AXIOM]

MLflow is that of .deps/mlflow-3 (`tools/setup tests`), one process over SQLite, its clients' requests sent over one keep-alive connection as
Axiom's are. Runs to search through are put into both databases as rows, while the servers are down. With PostgreSQL installed Axiom runs over that
too. Printed: the floor of this machine's disk, then a row for each kind of work, with the goal of the issue behind it.

RUNS=10000 MANY=100000 ARTIFACT_MB=1024 BENCH_DIR=here MLFLOW=.deps/mlflow-3/bin/python (MLFLOW=none: Axiom alone)
"""
import atexit
import glob
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
AXIOM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "axiom")
MLFLOW = os.environ.get("MLFLOW", str(ROOT / ".deps" / "mlflow-3" / "bin" / "python"))
API = "/api/2.0/mlflow/"
ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/0/bench/big.bin"
BATCHES, SECONDS_OF_WRITERS, SECONDS_MAX, METRICS, POINTS = 40, 5, 8, 20, 5


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def memory_of(group):
    """Resident MiB of all processes of a group."""
    kib = 0
    for status in glob.glob("/proc/[0-9]*/status"):
        try:
            pid = int(status.split("/")[2])
            if os.getpgid(pid) == group:
                kib += sum(int(line.split()[1]) for line in open(status) if line.startswith("VmRSS"))
        except (OSError, ProcessLookupError):
            continue
    return kib / 1024


class Server:
    """A tracking server in a process group of its own."""

    def __init__(self, command, environment=None):
        self.port = free_port()
        began = time.monotonic()
        self.process = subprocess.Popen([part.replace("PORT", str(self.port)) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env=environment, start_new_session=True)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1)
                break
            except OSError:
                assert self.process.poll() is None, "the server has ended"
                time.sleep(0.001)
        self.start_ms = 1e3 * (time.monotonic() - began)
        atexit.register(self.stop)  # whatever becomes of the bench
        self.connect()

    def connect(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            self.connection.request("POST", API + path, data, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
        except ConnectionError:  # it was idle while artifacts went to and fro: some servers close it then
            self.connect()
            self.connection.request("POST", API + path, data, {"Content-Type": "application/json"})
            answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return text

    def memory(self):
        return memory_of(self.process.pid)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()


def axiom(folder, store=None):
    more = ["--store.url", store] if store else []
    return Server([AXIOM, "serve", "--host", "127.0.0.1", "--port", "PORT", "--data-dir", f"{folder}/axiom", *more])


def mlflow(folder):
    environment = dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true", PATH=f"{pathlib.Path(MLFLOW).parent}:{os.environ['PATH']}")
    return Server([MLFLOW, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", "PORT", "--workers", "1", "--backend-store-uri",
                   f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/mlflow-artifacts"], environment)


def p50(calls):
    """Of as many of the calls as SECONDS_MAX lets through, three at least: a slow server does less, so that the whole ends in minutes."""
    times, first = [], time.perf_counter()
    for call in calls:
        began = time.perf_counter()
        if began - first > SECONDS_MAX and len(times) >= 3:
            break
        call()
        times.append(1e3 * (time.perf_counter() - began))
    return sorted(times)[len(times) // 2]


def disk_floor(folder):
    """What the disk takes for a durable append of 4 KiB: the floor of every durable write."""
    with open(f"{folder}/probe", "ab") as file:
        def append():
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        return p50([append] * 300)


# ---- rows to search through ----

def rows_of(count):
    """Runs as (key, id, value of metric k)."""
    numbers = random.Random(1)
    for at in range(count):
        yield at + 1, f"{numbers.getrandbits(128):032x}", [float((at * 7919 + 13 * k) % count) for k in range(METRICS)]


def fill(path, count, experiment, statements):
    base = sqlite3.connect(path)
    base.execute("pragma synchronous = off")
    many = {sql: [] for sql, _ in statements}

    def flush():
        for sql, rows in many.items():
            base.executemany(sql, rows)
            rows.clear()
    for key, name, values in rows_of(count):
        for sql, rows in statements:
            many[sql] += rows(key, name, values, experiment)
        if key % 2000 == 0:
            flush()
    flush()
    base.commit()
    base.close()


AXIOM_ROWS = [
    ("insert into runs (key, id, experiment_id, name, user_id, status, lifecycle_stage, source_type, source_name, artifact_uri, start_ns, "
     "series_count) values (?, ?, ?, 'r', '', 'FINISHED', 'active', '', '', 'mlflow-artifacts:/x', ?, ?)",
     lambda key, name, values, experiment: [(key, name, experiment, key * 1_000_000, METRICS)]),
    ("insert into run_tags values (?, 'mlflow.runName', 'r')", lambda key, name, values, experiment: [(key,)]),
    ("insert into run_params values (?, ?, ?)", lambda key, name, values, experiment: [(key, f"p{k}", str(k)) for k in range(METRICS)]),
    ("insert into metric_series (run_key, key, id, step, timestamp_ms, value, is_nan) values (?, ?, ?, ?, 5, ?, 0)",
     lambda key, name, values, experiment: [(key, f"m{k}", (key << 20) + k + 1, POINTS - 1, values[k]) for k in range(METRICS)]),
    ("insert into metric_points values (?, ?, ?, ?, 0)",
     lambda key, name, values, experiment: [((key << 20) + k + 1, step + 1, step, values[k] - POINTS + 1 + step)
                                            for k in range(METRICS) for step in range(POINTS)]),
]
MLFLOW_ROWS = [
    ("insert into runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, source_version, lifecycle_stage, "
     "artifact_uri, experiment_id) values (?, 'r', 'UNKNOWN', '', '', '', 'FINISHED', ?, '', 'active', 'mlflow-artifacts:/x', ?)",
     lambda key, name, values, experiment: [(name, key, experiment)]),
    ("insert into tags (key, value, run_uuid) values ('mlflow.runName', 'r', ?)", lambda key, name, values, experiment: [(name,)]),
    ("insert into params (key, value, run_uuid) values (?, ?, ?)",
     lambda key, name, values, experiment: [(f"p{k}", str(k), name) for k in range(METRICS)]),
    ("insert into latest_metrics (key, value, timestamp, step, is_nan, run_uuid) values (?, ?, 5, ?, 0, ?)",
     lambda key, name, values, experiment: [(f"m{k}", values[k], POINTS - 1, name) for k in range(METRICS)]),
]


# ---- the work ----

def batch(run, number, names):
    return json.dumps({"run_id": run, "metrics": [{"key": f"m{at % names}", "value": at * 0.5, "timestamp": 1000 + number, "step": number * 1000 + at}
                                                  for at in range(1000)]}).encode()


def log(server):
    """log-metric, log-batch of one key and of 1,000 keys, in ms."""
    run = json.loads(server.post("runs/create", {"experiment_id": "0", "start_time": 1}))["run"]["info"]["run_id"]
    one = p50([lambda at=at: server.post("runs/log-metric", {"run_id": run, "key": "loss", "value": 1.0 / (at + 1), "timestamp": at, "step": at})
               for at in range(500)])
    batches = []
    for names in (1, 1000):
        bodies = [batch(run, number, names) for number in range(BATCHES)]
        batches.append(p50([lambda body=body: server.post("runs/log-batch", body) for body in bodies]))
    return run, one, *batches


def writers(server, run):
    """Requests a second of 16 connections that log metrics."""
    if not shutil.which("wrk"):
        return None
    said = subprocess.run(["wrk", "-t1", "-c16", f"-d{SECONDS_OF_WRITERS}s", "--timeout", "30s", "-s", str(ROOT / "bench" / "mlflow.lua"),
                           f"http://127.0.0.1:{server.port}"], env=dict(os.environ, RUN=run), capture_output=True, text=True, check=True).stdout
    words = next(line for line in said.splitlines() if line.startswith("axiom ")).split()
    assert words[5] == "0", said  # the errors behind it are requests that a slow server had not answered at the end
    return int(words[1]) / (int(words[3]) / 1e6)


def search(server, experiment, count, times=20):
    """ms of a filtered and ordered page of 500; and that of the first, when nothing was shown before."""
    body = {"experiment_ids": [experiment], "filter": f"metrics.m1 > {count // 2}", "order_by": ["metrics.m2 DESC"], "max_results": 500}
    found = []
    first = p50([lambda: found.append(server.post("runs/search", body))])
    assert len(json.loads(found[0])["runs"]) >= min(500, count // 2 - 1)
    return first, p50([lambda: server.post("runs/search", body)] * times)


def upload(server, mib):
    block = os.urandom(1 << 20)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"PUT {ARTIFACT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {mib << 20}\r\nConnection: close\r\n\r\n".encode())
        for _ in range(mib):
            client.sendall(block)
        assert b" 200 " in client.recv(4096)
    return (mib << 20) / 1e6 / (time.monotonic() - began)


def download(server, mib):
    room, count = bytearray(1 << 20), 0
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"GET {ARTIFACT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while got := client.recv_into(room):
            count += got
    assert count >= mib << 20, count
    return count / 1e6 / (time.monotonic() - began)


# ---- one server, all of it ----

class Figures(dict):
    """What was measured, by name; said as it comes."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def __setitem__(self, key, figure):
        super().__setitem__(key, figure)
        print(f"  {self.name}: {key} {figure if figure is None else format(figure, '.3f')}", file=sys.stderr, flush=True)


def measure(open_server, store, rows, runs, many, mib, out):
    """Fills out with figures by name; a count of 0 leaves that work out."""
    server = open_server()
    out["start"], out["idle"] = server.start_ms, server.memory()
    run, out["metric"], out["batch"], out["batch keys"] = log(server)
    out["writers"] = writers(server, run)
    if mib:
        out["upload"] = upload(server, mib)
        out["verified"] = download(server, mib)
        out["unverified"] = max(download(server, mib) for _ in range(3))
        out["after artifacts"] = server.memory()
    for count, name in ((runs, "search"), (many, "search many")):
        if not count:
            continue
        experiment = json.loads(server.post("experiments/create", {"name": f"of {count}"}))["experiment_id"]
        server.stop()
        if store:
            base = sqlite3.connect(store)
            for table in ("metric_points", "metric_series", "run_params", "run_tags", "runs"):
                if "axiom" in store:
                    base.execute(f"delete from {table}")
            base.commit()
            base.close()
            fill(store, count, experiment, rows)
        server = open_server()
        out[name + " first"], out[name] = search(server, experiment, count)
        out[name + " memory"] = server.memory()
    server.stop()


ROWS = [("start", "start to healthy", "ms", "< 50"), ("idle", "resident, idle", "MiB", "< 30"), ("metric", "log-metric p50, durable", "ms", "< 0.2"),
        ("batch", "log-batch of 1,000, one key, p50", "ms", "< 3"), ("batch keys", "log-batch of 1,000 keys p50", "ms", "< 3"),
        ("writers", "16 writers, metrics a second", "/s", "100 x"), ("search", "search 500 of {runs}, filter and order, p50", "ms", "< 10"),
        ("search first", "  the first time", "ms", ""), ("search many", "search 500 of {many}, {points} points, p50", "ms", "< 50"),
        ("search many first", "  the first time", "ms", ""), ("search many memory", "  resident then", "MiB", "flat"),
        ("upload", "artifact of {mib} MiB, upload", "MB/s", ">= 400"), ("verified", "  download, checked", "MB/s", ">= 700"),
        ("unverified", "  download, checked lately", "MB/s", ">= 2000"), ("after artifacts", "  resident then", "MiB", "flat")]


def table(columns, names):
    print(f"\n{'work':<52}" + "".join(f"{name:>18}" for name in columns) + f"{'goal':>10}")
    for key, words, unit, goal in ROWS:
        figures = [column.get(key) for column in columns.values()]
        if any(figure is not None for figure in figures):
            print(f"{words.format(**names):<52}" + "".join(f"{figure:13.{3 if figure < 1 else 1}f} {unit:<4}" if figure is not None else f"{'-':>18}" for figure in figures)
                  + f"{goal:>10}")


def with_postgres(folder, out):
    """Axiom over a PostgreSQL of the distribution's package; nothing when there is none."""
    with tempfile.TemporaryDirectory(prefix="axiom-bench-", dir="/tmp") as place:
        server = subprocess.Popen([ROOT / "tests" / "postgres_server", place], text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            if server.stdout.readline().strip() == "ready":
                server.stdin.write("database bench\n")
                assert server.stdout.readline().strip() == "made"
                measure(lambda: axiom(f"{folder}/postgres", f"postgresql://postgres@/bench?host={place}"), None, None, 0, 0, 0, out)
        finally:
            server.stdin.close()
            server.wait()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers end too
    runs, many, mib = (int(os.environ.get(name, value)) for name, value in (("RUNS", 10_000), ("MANY", 100_000), ("ARTIFACT_MB", 1024)))
    columns = {"axiom": Figures("axiom")}
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", ROOT), ignore_cleanup_errors=True) as folder:
        print(f"fdatasync of 4 KiB p50 {disk_floor(folder):.3f} ms", flush=True)
        measure(lambda: axiom(folder), f"{folder}/axiom/store.db", AXIOM_ROWS, runs, many, mib, columns["axiom"])
        os.mkdir(f"{folder}/postgres")
        columns["axiom, postgres"] = Figures("axiom, postgres")
        with_postgres(folder, columns["axiom, postgres"])
        if os.access(MLFLOW, os.X_OK):
            columns["mlflow"] = Figures("mlflow")
            measure(lambda: mlflow(folder), f"{folder}/mlflow.db", MLFLOW_ROWS, runs, 0, min(mib, 256), columns["mlflow"])
        else:
            print("without MLflow: it is not at .deps/mlflow-3 (tools/setup tests puts it there)")
    table({name: column for name, column in columns.items() if column}, {"runs": f"{runs:,}", "many": f"{many:,}", "points": f"{many * METRICS * POINTS:,}", "mib": mib})


if __name__ == "__main__":
    main()
