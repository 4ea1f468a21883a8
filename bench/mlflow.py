#!/usr/bin/env python3
"""Times of the tracking API over one keep-alive connection: log-metric, log-batch, search.

usage: mlflow.py [AXIOM]

Starts a development tracking server on a fresh folder, prints a line a figure (p50, p95 in ms).
"""
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
AXIOM = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build" / "axiom")
API = "/api/2.0/mlflow/"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.port = free_port()
        began = time.monotonic()
        self.process = subprocess.Popen([AXIOM, "serve", "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", folder],
                                        stderr=subprocess.DEVNULL)
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.001)
        print(f"start to healthy      {1e3 * (time.monotonic() - began):8.1f} ms")
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.connection.request("POST", API + path, data, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return text

    def resident(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024


def timed(name, calls):
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - began))
    times.sort()
    print(f"{name:<32}p50 {times[len(times) // 2]:8.3f} ms  p95 {times[len(times) * 95 // 100]:8.3f} ms", flush=True)


def batch(run, number, names):
    return json.dumps({"run_id": run, "metrics": [{"key": f"m{at % names}", "value": at * 0.5, "timestamp": 1000 + number, "step": number * 1000 + at}
                                                  for at in range(1000)]}).encode()


def main():
    runs = int(os.environ.get("RUNS", "10000"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", ROOT)) as folder:
        server = Server(folder + "/data")
        print(f"resident, idle        {server.resident():8.1f} MiB")
        run = json.loads(server.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
        timed("log-metric", [lambda at=at: server.post("runs/log-metric", {"run_id": run, "key": "loss", "value": 1.0 / (at + 1), "timestamp": at, "step": at})
                             for at in range(3000)])
        fsyncs(folder)
        for names in (1, 20, 1000):
            bodies = [batch(run, number, names) for number in range(60)]
            timed(f"log-batch 1000 of {names} keys", [lambda body=body: server.post("runs/log-batch", body) for body in bodies])
        experiment = json.loads(server.post("experiments/create", {"name": "many"}))["experiment_id"]
        began = time.monotonic()
        for at in range(runs):
            made = json.loads(server.post("runs/create", {"experiment_id": experiment, "start_time": at}))["run"]["info"]["run_id"]
            server.post("runs/log-batch", {"run_id": made, "metrics": [{"key": f"m{k}", "value": (at * 7919 + k) % runs, "timestamp": 1, "step": 1} for k in range(20)],
                                           "params": [{"key": f"p{k}", "value": str(k)} for k in range(20)]})
        print(f"{runs} runs made in     {time.monotonic() - began:8.1f} s")
        search = {"experiment_ids": [experiment], "filter": f"metrics.m1 > {runs // 2}", "order_by": ["metrics.m2 DESC"], "max_results": 500}
        timed("search 500 of all, ordered", [lambda: server.post("runs/search", search)] * 30)
        timed("search 500 newest", [lambda: server.post("runs/search", {"experiment_ids": [experiment], "max_results": 500})] * 30)
        timed("search 5 by param", [lambda: server.post("runs/search", {"experiment_ids": [experiment], "filter": "params.p1 = '1' and metrics.m3 < 5",
                                                                        "max_results": 5})] * 30)
        print(f"resident, after       {server.resident():8.1f} MiB")
        server.process.terminate()
        server.process.wait()


def fsyncs(folder):
    """What the disk takes for a durable append, the floor of every durable write."""
    with open(folder + "/probe", "ab") as file:
        def append():
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
        timed("fdatasync of 4 KiB", [append] * 500)


if __name__ == "__main__":
    main()
