"""What the edge costs, beside bare peers in the same run: the server's CPU microseconds a request, on core 0, the load on core 1.

Called by bench/run serving. The peer is bench_echo: the same loop, nghttp2 and parser, and the body sent back.
"""
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from harness import AXIOM, SHARED, free_port  # noqa: E402

ECHO = ROOT / "build-bench" / "bench_echo"
CREDIT = SHARED / "conformance" / "fixtures" / "credit_xgboost.json"
TICKS = os.sysconf("SC_CLK_TCK")
FEATURES = 23
INFER, CALL = "/v2/models/credit/infer", "/inference.GRPCInferenceService/ModelInfer"


def pinned(core, *words):
    return ["taskset", "-c", str(core), *map(str, words)] if os.cpu_count() > 1 else [str(word) for word in words]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Peer:
    """A server on core 0 until the end of the block; `ready` is what it says when it listens."""

    def __init__(self, *words, ready):
        self.port = free_port()
        self.words = [str(word).replace("PORT", str(self.port)) for word in words]
        self.ready = ready

    def __enter__(self):
        began = time.perf_counter()
        self.process = subprocess.Popen(pinned(0, *self.words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        next((line for line in self.process.stdout if self.ready in line), None)
        self.ready_ms = 1000 * (time.perf_counter() - began)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def cost_us(pid, command, pattern):
    """CPU of the server for one request of a load; every request must have been answered well."""
    before = cpu_seconds(pid)
    done = subprocess.run(pinned(1, *command), capture_output=True, text=True)
    took = cpu_seconds(pid) - before
    count = re.search(pattern, done.stdout)
    if not count or not int(count[1]) or re.search(r"Non-2xx|[1-9]\d* (failed|errored)|[1-9]\d* [345]xx", done.stdout):
        sys.exit(f"bench: {command}: {done.stdout}{done.stderr}")
    return 1e6 * took / int(count[1])


def wrk(peer, seconds, connections, script, path):
    return cost_us(peer.process.pid, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{peer.port}{path}"],
                   r"(\d+) requests in")


def h2load(peer, seconds, body, path):
    return cost_us(peer.process.pid, ["h2load", "-t1", "-c4", "-m8", "-D", str(seconds), "-d", body, "-H", "content-type: application/grpc", "-H",
                                      "te: trailers", f"http://127.0.0.1:{peer.port}{path}"], r"(\d+) succeeded")


def in_turns(measures, rounds=3):
    """{name: [figures]}; the peers one after the other in each round, so that a slow minute is everybody's."""
    found = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def lua_of(folder, name, body, headers):
    script = folder / f"{name}.lua"
    lines = [f'wrk.headers["{key}"] = {json.dumps(value)}' for key, value in headers.items()]
    script.write_text("\n".join(['wrk.method = "POST"', f"wrk.body = [==[{body}]==]", *lines]) + "\n")
    return script


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def grpc_message(row):
    tensor = field(1, b"input-0") + field(2, b"FP32") + field(3, varint(1) + varint(len(row)))
    message = field(1, b"credit") + field(5, tensor) + field(7, struct.pack(f"<{len(row)}f", *row))
    return b"\0" + struct.pack(">I", len(message)) + message


def tell(report, name, found, base, goal):
    """A line for each, and the ratio of the first to another."""
    for who, values in found.items():
        report(f"{name}: {who}", "CPU us", f"{statistics.median(values):.2f}", f"{len(values)} runs: {min(values):.2f} to {max(values):.2f}", "",
               "bench/run serving")
    first = next(iter(found))
    for other in base:
        ratios = [one / two for one, two in zip(found[first], found[other])]
        report(f"{name}: {first} / {other}", "", f"{statistics.median(ratios):.2f}", f"{len(ratios)} runs: {min(ratios):.2f} to {max(ratios):.2f}",
               goal, "bench/run serving")


def protocols(report, seconds):
    """Infer over REST and gRPC beside bare echoes."""
    if not CREDIT.exists():
        print(f"bench: left out: {CREDIT} is not here")
        return
    folder = pathlib.Path(tempfile.mkdtemp())
    row = [0.5 + number for number in range(FEATURES)]
    rest = json.dumps({"inputs": [{"name": "input-0", "shape": [1, FEATURES], "datatype": "FP32", "data": row}]})
    script = lua_of(folder, "infer", rest, {"Content-Type": "application/json"})
    body = folder / "message"
    body.write_bytes(grpc_message(row))
    axiom = Peer(AXIOM, "serve", "--model", f"credit={CREDIT}", "--listen", "127.0.0.1:PORT", "--net.loop_count", "1", ready='"ready"')
    echo = Peer(ECHO, "PORT", ready="ready")
    with axiom, echo:
        report("start to ready, development mode, one model", "ms", f"{axiom.ready_ms:.1f}", "1 run", "< 50 ms", "bench/run serving")
        resident = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{axiom.process.pid}/status").read_text())[1]) / 1024
        report("resident when idle, development mode", "MB", f"{resident:.1f}", "1 run", "< 25 MB", "bench/run serving")
        for connections in (1, 32):
            found = in_turns({"axiom": lambda: wrk(axiom, seconds, connections, script, INFER),
                              "bench_echo": lambda: wrk(echo, seconds, connections, script, INFER)})
            tell(report, f"REST infer, {connections} connections", found, ["bench_echo"], "<= 1.3")
        found = in_turns({"axiom": lambda: h2load(axiom, seconds, body, CALL),
                          "bench_echo": lambda: h2load(echo, seconds, body, "/axiom.Echo/Unary")})
        tell(report, "gRPC infer, 4 x 8", found, ["bench_echo"], "<= 1.5")


def governed(report, bank, start, seconds):
    """Decisions beside plain inference of the same model, on the same server; start(record) puts the deployment into that state."""
    folder = pathlib.Path(tempfile.mkdtemp())
    features = bank.features(1)
    tensors = [{"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}
               for name, value in features.items()]
    plain = lua_of(folder, "plain", json.dumps({"inputs": tensors}), {"Authorization": f"Bearer {bank.dana.token}"})
    decide = lua_of(folder, "decide", json.dumps({"entity_id": "applicant", "features": features}), {"Authorization": f"Bearer {bank.loans.token}"})
    for record, goal in (("queued", "<= 1.5"), ("durable", "<= 2")):
        start(record)
        found = in_turns({f"decision, {record}": lambda: wrk(bank.server, seconds, 32, decide, "/api/v1/deployments/credit/decisions"),
                          "plain infer": lambda: wrk(bank.server, seconds, 32, plain, "/v2/models/model-0/infer")})
        tell(report, "governed, 32 connections", found, ["plain infer"], goal)
