#!/usr/bin/env python3
"""Deadlines, rates, reloads and systemd, with the real clients: tritonclient over gRPC, TLS connections that are kept,
systemd-socket-activate and a socket that stands for systemd's."""
import http.client
import json
import os
import queue
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from harness import AXIOM, ROOT, SCRATCH, Copy, Server, Skip, check, contains, free_port, refused, run_suite
from wire import make_certificate

DART = ROOT / "tests" / "model" / "small" / "dart.json"
BODY = {"inputs": [{"name": "input-0", "datatype": "FP32", "shape": [1, 3], "data": [41, 1200.5, 1]}]}


def triton_input(rows=1):
    import numpy
    import tritonclient.grpc as client
    one = client.InferInput("input-0", [rows, 3], "FP32")
    one.set_data_from_numpy(numpy.array([[41, 1200.5, 1]] * rows, dtype=numpy.float32))
    return [one]


def code_of(call):
    """What a call of tritonclient ends with: "" or the name of its status."""
    from tritonclient.utils import InferenceServerException
    try:
        call()
    except InferenceServerException as error:
        return error.status()
    return ""


def test_a_timeout_and_a_priority_over_grpc():
    import tritonclient.grpc as client
    server = Server("--model", f"dart={DART}")
    try:
        triton = client.InferenceServerClient(f"127.0.0.1:{server.port}")
        infer = lambda **more: code_of(lambda: triton.infer("dart", triton_input(), **more))
        check(infer(timeout=30_000_000, priority=1) == "", "with time and priority")
        check(infer(timeout=1) == "StatusCode.DEADLINE_EXCEEDED", "a microsecond was enough")
        check(infer(client_timeout=5) == "", "with grpc-timeout")
        answers = queue.Queue()
        triton.start_stream(lambda result, error: answers.put((result, error)))
        for timeout in (None, 1, None):  # so many rows wait for a worker, which takes longer than a microsecond
            triton.async_stream_infer("dart", triton_input(20_000), timeout=timeout)
        said = [answers.get(timeout=10) for _ in range(3)]
        triton.stop_stream()
        check([error is None for _, error in said] == [True, False, True], f"{said}")
        contains(str(said[1][1]), "Request timeout expired")
    finally:
        server.stop()


def test_rates_over_grpc_and_rest():
    import tritonclient.grpc as client
    server = Server("--model", f"dart={DART}", "--limits.model_rate", "1", "--limits.model_burst", "4")
    try:
        triton = client.InferenceServerClient(f"127.0.0.1:{server.port}")
        codes = [code_of(lambda: triton.infer("dart", triton_input())) for _ in range(8)]
        check(codes[:4] == [""] * 4 and "StatusCode.RESOURCE_EXHAUSTED" in codes[4:], f"{codes}")
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/v2/models/dart/infer", json.dumps(BODY))
        answer = connection.getresponse()
        said = json.loads(answer.read())
        check(answer.status == 429 and int(answer.getheader("Retry-After")) >= 1, f"{answer.status} {said}")
        contains(said["error"], "too many requests a second for this model")
        connection.request("GET", "/metrics")
        contains(connection.getresponse().read().decode(), 'axiom_rate_limited_total{of="model"}')
        check(triton.is_server_live(), "a probe was limited")
    finally:
        server.stop()


# ---- reloads

class Kept:
    """A connection that is kept: every request must be answered on it."""

    def __init__(self, port, secure=None):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        if secure:
            self.connection = secure.wrap_socket(self.connection, server_hostname="localhost")

    def ask(self, path="/v2"):
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = http.client.HTTPResponse(self.connection)
        answer.begin()
        answer.read()
        return answer.status


def serial_of(port):
    insecure = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with insecure.wrap_socket(plain) as secure:
            return secure.getpeercert(binary_form=True)


def test_settings_and_certificates_are_reloaded_by_an_operator():
    with Copy(start=False) as bank:
        folder = bank.folder / "tls"
        folder.mkdir()
        make_certificate(folder)
        bank.start("--listen", "tls:127.0.0.1:0", "--net.tls_certificate", folder / "cert.pem", "--net.tls_key", folder / "key.pem")
        port, secure_port = bank.server.ports()
        trust = ssl.create_default_context(cafile=folder / "cert.pem")
        kept, before = [Kept(port), Kept(secure_port, trust)], serial_of(secure_port)
        check([one.ask() for one in kept] == [200, 200], "before")
        make_certificate(folder)
        settings = bank.data / "axiom.yaml"
        was = settings.read_text()
        settings.write_text(was + "\nlimits:\n  address_rate: 1\n  address_burst: 20\n")
        status, said = bank.dana.http("POST", "/api/v1/reload")
        check(status == 403, f"who may not: {status} {said}")
        status, said = bank.rob.http("POST", "/api/v1/reload")
        check(status == 200 and said == {"changed": ["limits.address_rate", "limits.address_burst"]}, f"{status} {said}")
        check([one.ask() for one in kept] == [200, 200], "a connection was dropped")
        check(serial_of(secure_port) != before, "the old certificate is shown")
        check(429 in [kept[0].ask() for _ in range(30)], "the new rate does not hold")
        check(kept[0].ask("/readyz") == 200, "a probe was limited")
        settings.write_text(was + "\nnet:\n  idle_ms: 1s\nlimits:\n  address_rate: 0\n")
        status, said = bank.rob.http("POST", "/api/v1/reload")
        check(status == 400, f"{status} {said}")
        contains(said["detail"], "net.idle_ms cannot change while the server runs", "nothing was changed")
        settings.write_text(was)
        status, said = bank.rob.http("POST", "/api/v1/reload")
        check(status == 200 and said["changed"], f"{status} {said}")
        check([one.ask() for one in kept] == [200, 200] and kept[0].ask() == 200, "the old rate does not hold")


# ---- systemd

def test_sockets_of_systemd():
    activate = shutil.which("systemd-socket-activate")
    if not activate:
        raise Skip("systemd-socket-activate is not installed")
    port, other = free_port(), free_port()
    process = subprocess.Popen(
        [activate, "-l", f"127.0.0.1:{port}", "-l", f"127.0.0.1:{other}", "--fdname=api:admin", AXIOM, "serve",
         "--model", f"dart={DART}", "--listen", "systemd:admin=axiom", "--listen", "systemd:api"],
        stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:  # the first connection starts the server, and is answered
            try:
                kept = Kept(port)
                break
            except ConnectionError:
                check(time.monotonic() < deadline, "systemd-socket-activate does not listen")
                time.sleep(0.05)
        check(kept.ask("/v2/models/dart") == 200, "over the socket of systemd")
        check(Kept(other).ask("/v2/models/dart") == 404, "a socket's dialects")
        process.send_signal(signal.SIGTERM)  # it has become the server
        check(process.wait(timeout=20) == 0, "it did not end in order")
    finally:
        process.kill()
    refused(AXIOM, "serve", "--model", f"dart={DART}", "--listen", "systemd:api", says=["systemd has handed over 0 sockets"])


class Manager:
    """What systemd is to a service: a socket for its words."""

    def __init__(self):
        self.path = tempfile.mkdtemp(dir=SCRATCH) + "/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)

    def hear(self, word):
        """The next message that is no beat, or is the one that is waited for."""
        while True:
            said = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())
            if word in said or "WATCHDOG" not in said:
                check(word in said, f"{said} in place of {word}")
                return said


def test_words_to_systemd():
    manager = Manager()
    environment = {**os.environ, "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"}
    server = Server("--model", f"dart={DART}", env=environment)
    manager.hear("READY")
    for _ in range(3):
        manager.hear("WATCHDOG")
    server.process.send_signal(signal.SIGHUP)
    said = manager.hear("RELOADING")
    check(re.fullmatch(r"\d+", said["MONOTONIC_USEC"]), f"{said}")
    manager.hear("READY")
    server.process.send_signal(signal.SIGSTOP)  # who does not run does not say that all is well
    time.sleep(0.3)
    manager.socket.settimeout(0.3)
    try:
        while True:
            manager.socket.recv(4096)
    except TimeoutError:
        pass
    server.process.send_signal(signal.SIGCONT)
    manager.socket.settimeout(20)
    manager.hear("WATCHDOG")
    server.process.terminate()
    manager.hear("STOPPING")
    check(server.process.wait(timeout=20) == 0, "it did not end in order")


if __name__ == "__main__":
    run_suite(globals())
