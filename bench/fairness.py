#!/usr/bin/env python3
"""How much one noisy neighbour costs a quiet client: the ratio of its 99th percentiles, with and without the noise.

usage: fairness.py [ROUNDS]

The quiet client asks for the contributions to a few scores every ten milliseconds, which is work for a worker; the
noise is a crowd of connections that ask for very many without pause: of another model, or of the same model from another address.
Each round measures it alone and beside the noise, against one server with the default shares and one without
(limits.worker_share_percent 100). Both servers and all clients share the machine: the ratio is what counts.
"""
import http.client
import json
import multiprocessing
import pathlib
import statistics
import struct
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from harness import Server  # noqa: E402

MODEL = ROOT / "tests" / "model" / "xgboost-3.2.0" / "binary_logitraw" / "model.json"
QUIET_ROWS, NOISY_ROWS = 8, 400
NOISY_CONNECTIONS, SAMPLES, PAUSE_SECONDS, SECONDS_MAX = 12, 200, 0.01, 20
LIMIT = 1.5


def width_of(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/v2/models/quiet")
    return json.loads(connection.getresponse().read())["inputs"][0]["shape"][1]


def request_of(rows, width):
    """(headers, body) of an inference with its numbers in binary."""
    numbers = struct.pack("<f", 0.5) * (rows * width)
    tensor = {"name": "input-0", "datatype": "FP32", "shape": [rows, width], "parameters": {"binary_data_size": len(numbers)}}
    outputs = [{"name": "contributions", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    return {"Inference-Header-Content-Length": str(len(head))}, head + numbers


def noise(port, model, width, end):
    headers, body = request_of(NOISY_ROWS, width)
    connection = http.client.HTTPConnection("127.0.0.1", port, source_address=("127.0.0.2", 0))
    while not end.is_set():
        connection.request("POST", f"/v2/models/{model}/infer", body, headers)
        connection.getresponse().read()


def waited(port):
    """(requests, ns) that the quiet model's have waited so far, from the last byte read until their work began."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/v2/models/quiet/stats")
    queue = json.loads(connection.getresponse().read())["model_stats"][0]["inference_stats"]["queue"]
    return queue["count"], queue["ns"]


def percentile_ms(port, width):
    headers, body = request_of(QUIET_ROWS, width)
    connection, times = http.client.HTTPConnection("127.0.0.1", port), []
    end = time.monotonic() + SECONDS_MAX
    while len(times) < SAMPLES and time.monotonic() < end:
        began = time.perf_counter()
        connection.request("POST", "/v2/models/quiet/infer", body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append(1000 * (time.perf_counter() - began))
        if answer.status != 200:
            sys.exit(f"fairness: the quiet client was answered {answer.status}")
        time.sleep(PAUSE_SECONDS)
    return sorted(times)[int(0.99 * len(times))]


def beside_noise(port, model, width):
    end = multiprocessing.Event()
    crowd = [multiprocessing.Process(target=noise, args=(port, model, width, end)) for _ in range(NOISY_CONNECTIONS)]
    for one in crowd:
        one.start()
    time.sleep(0.5)
    try:
        return percentile_ms(port, width)
    finally:
        end.set()
        for one in crowd:
            one.join()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    models = ("--model", f"quiet={MODEL}", "--model", f"noisy={MODEL}")
    servers = {"shares of 75 %": Server(*models), "no shares": Server(*models, "--limits.worker_share_percent", "100")}
    cases = [(shares, model) for shares in servers for model in ("noisy", "quiet")]
    found, waits = {case: [] for case in cases}, {shares: [] for shares in servers}
    width = width_of(servers["no shares"].port)
    for _ in range(rounds):
        for shares, model in cases:
            port = servers[shares].port
            alone, before = percentile_ms(port, width), waited(port)
            found[shares, model].append((alone, beside_noise(port, model, width)))
            after = waited(port)
            if model == "noisy":
                waits[shares].append((after[1] - before[1]) / (after[0] - before[0]) / 1e6)
    for server in servers.values():
        server.stop()
    print(f"p99 of {QUIET_ROWS} rows every {1000 * PAUSE_SECONDS:.0f} ms beside {NOISY_CONNECTIONS} connections with {NOISY_ROWS} rows each, medians of {rounds} rounds")
    for (shares, model), pairs in found.items():
        ratios = sorted(noisy / alone for alone, noisy in pairs)
        what = "another model" if model == "noisy" else "the same model, another client"
        print(f"{shares:15} {what:31} alone {statistics.median(one for one, _ in pairs):6.2f} ms, beside {statistics.median(two for _, two in pairs):6.2f} ms, "
              f"ratio {statistics.median(ratios):5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), goal {LIMIT}", flush=True)
    for shares, means in waits.items():
        print(f"{shares:15} the server's own word: beside another model's noise a quiet request began {statistics.median(means):.2f} ms after its last byte, on average")


if __name__ == "__main__":
    main()
