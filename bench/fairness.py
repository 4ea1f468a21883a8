#!/usr/bin/env python3
"""How much a noisy neighbour costs a quiet client: its 99th percentile beside the noise, divided by that without, for the same server.

usage: fairness.py [ROUNDS]

The server has core 0 to itself (one loop), the quiet client and the noise share core 1: the client goes first there (nice), so that it measures the server and not
its own wait. The quiet client sends at a fixed rate, whatever is answered, and counts from when a request was due. Rounds without and with noise take turns, a
second each; a round's percentile is divided by the mean of those before and behind it, and the median of these ratios is told. The noise is
- heavy: contributions of very many rows, without pause, from another address: work for the workers
- a crowd: small requests without pause, held to limits.model_rate: most are refused
and the quiet client's requests are scored on the loop, or explained by a worker. Run it with the machine to yourself: what else runs is in every figure.
"""
import http.client
import json
import multiprocessing
import os
import pathlib
import socket
import statistics
import struct
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from harness import Server  # noqa: E402

MODEL = ROOT / "tests" / "model" / "xgboost-3.2.0" / "binary_logitraw" / "model.json"
QUIET_ROWS, NOISY_ROWS = 8, 400
NOISY_CONNECTIONS, CROWD_CONNECTIONS, CROWD_RATE = 12, 4, 2_000
EVERY_SECONDS, ROUND_SECONDS = 0.005, 1.0
LIMIT, SERVER_CORE, CLIENT_CORE, SERVER_NICE, CLIENT_NICE, NOISE_NICE = 1.5, 0, 1, -15, -19, -10


def width_of(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/v2/models/quiet")
    return json.loads(connection.getresponse().read())["inputs"][0]["shape"][1]


def request_of(model, rows, width, explained):
    """An inference with its numbers in binary, as it goes over the wire."""
    numbers = struct.pack("<f", 0.5) * (rows * width)
    tensor = {"name": "input-0", "datatype": "FP32", "shape": [rows, width], "parameters": {"binary_data_size": len(numbers)}}
    outputs = [{"name": "contributions" if explained else "predict", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    return (f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: a\r\nInference-Header-Content-Length: {len(head)}\r\n"
            f"Content-Length: {len(head) + len(numbers)}\r\n\r\n").encode() + head + numbers


class Wire:
    """A connection that sends ready bytes and reads one answer."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), source_address=(source, 0), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """The status."""
        self.socket.sendall(request)
        said = self.socket.recv(1 << 16)
        while (end := said.find(b"\r\n\r\n")) < 0:
            said += self.socket.recv(1 << 16)
        head = said[:end].lower()
        left = int(head.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0]) - (len(said) - end - 4)
        while left > 0:
            left -= len(self.socket.recv(1 << 16))
        return int(head[9:12])


def noise(port, request, end):
    os.sched_setaffinity(0, {CLIENT_CORE})
    wire = Wire(port, "127.0.0.2")
    while not end.is_set():
        if wire.ask(request) == 429:
            time.sleep(0.002)


class Crowd:
    """Connections that make noise, until they are told to end."""

    def __init__(self, port, request, count):
        self.end = multiprocessing.Event()
        self.members = [multiprocessing.Process(target=noise, args=(port, request, self.end)) for _ in range(count)]
        for one in self.members:
            one.start()
        time.sleep(0.3)

    def stop(self):
        self.end.set()
        for one in self.members:
            one.join()
            if one.exitcode:
                sys.exit("fairness: the noise broke off")
        time.sleep(0.1)


def percentiles_ms(wire, request):
    """(50th, 99th) of a round, counted from when each request was due."""
    times, due = [], time.perf_counter() + EVERY_SECONDS
    while len(times) < ROUND_SECONDS / EVERY_SECONDS:
        time.sleep(max(0, due - time.perf_counter()))
        status = wire.ask(request)
        times.append(1000 * (time.perf_counter() - due))
        due += EVERY_SECONDS
        if status != 200:
            sys.exit(f"fairness: the quiet client was answered {status}")
    times.sort()
    return times[len(times) // 2], times[int(0.99 * len(times))]


def measure(options, noisy, noisy_count, quiet_explained, rounds):
    """[(p50, p99)] of the rounds alone, one more than those beside the noise, and of those."""
    models = ("--model", f"quiet={MODEL}", "--model", f"noisy={MODEL}", "--net.loop_count", "1")
    server = Server(*models, *options)
    for task in os.listdir(f"/proc/{server.process.pid}/task"):
        os.sched_setaffinity(int(task), {SERVER_CORE})
        nice = os.getpriority(os.PRIO_PROCESS, int(task)) - os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, int(task), SERVER_NICE + nice)
    width = width_of(server.port)
    wire, request = Wire(server.port), request_of("quiet", QUIET_ROWS, width, quiet_explained)
    loud = request_of("noisy", NOISY_ROWS if noisy == "heavy" else 1, width, noisy == "heavy")
    percentiles_ms(wire, request)
    alone, beside = [percentiles_ms(wire, request)], []
    for _ in range(rounds):
        os.setpriority(os.PRIO_PROCESS, 0, NOISE_NICE)  # which the members inherit
        crowd = Crowd(server.port, loud, noisy_count)
        os.setpriority(os.PRIO_PROCESS, 0, CLIENT_NICE)
        try:
            beside.append(percentiles_ms(wire, request))
        finally:
            crowd.stop()
        alone.append(percentiles_ms(wire, request))
    server.stop()
    return alone, beside


CASES = [("on the loop", "heavy", (), NOISY_CONNECTIONS, False), ("by a worker", "heavy", (), NOISY_CONNECTIONS, True),
         ("by a worker, noise held to 1 %", "heavy", ("--limits.worker_share_percent", "1"), NOISY_CONNECTIONS, True),
         ("on the loop", "crowd", ("--limits.model_rate", str(CROWD_RATE)), CROWD_CONNECTIONS, False)]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    os.sched_setaffinity(0, {CLIENT_CORE})
    for where, noisy, options, count, explained in CASES:
        os.setpriority(os.PRIO_PROCESS, 0, CLIENT_NICE)
        alone, beside = measure(options, noisy, count, explained, rounds)
        means = [(before[1] + behind[1]) / 2 for before, behind in zip(alone, alone[1:])]
        ratios = sorted(one[1] / mean for one, mean in zip(beside, means))
        print(f"{where:32} beside {noisy:6} p50 {statistics.median(one[0] for one in alone):5.2f} -> {statistics.median(one[0] for one in beside):5.2f} ms, "
              f"p99 {statistics.median(means):5.2f} -> {statistics.median(one[1] for one in beside):5.2f} ms, "
              f"ratio {statistics.median(ratios):5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), goal {LIMIT}", flush=True)


if __name__ == "__main__":
    main()
