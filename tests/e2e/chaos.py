#!/usr/bin/env python3
"""What a network does to a server, on loopback: slow clients, resets, thousands who say nothing, half-open connections,
no descriptor left, no memory left. Meanwhile a witness asks without pause and must always be answered; afterwards
everything must be as before. AX_LONG=1 makes each of them longer."""
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import resource
import socket
import struct
import threading
import time

from harness import ROOT, Server, Skip, check, run_suite

DART = ROOT / "tests" / "model" / "small" / "dart.json"
BODY = json.dumps({"inputs": [{"name": "input-0", "datatype": "FP32", "shape": [1, 3], "data": [41, 1200.5, 1]}]})
HEAD = b"POST /v2/models/dart/infer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
LONG = bool(os.environ.get("AX_LONG"))
ROUNDS = 20 if LONG else 1
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends a reset
ANSWER_SECONDS_MAX = 2  # of the witness; the machine has other things to do


class Witness(threading.Thread):
    """Asks for an inference without pause, on one connection that is kept and on new ones in turn."""

    def __init__(self, port, fresh=True):
        super().__init__(daemon=True)
        self.port, self.fresh, self.answered, self.worst, self.wrong = port, fresh, 0, 0.0, []
        self.end = threading.Event()
        self.kept = self.connect()

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.connect()
        return connection

    def ask(self, connection):
        began = time.monotonic()
        connection.request("POST", "/v2/models/dart/infer", BODY)
        answer = connection.getresponse()
        content = answer.read()
        self.worst = max(self.worst, time.monotonic() - began)
        if answer.status != 200:
            self.wrong.append((answer.status, content))
        self.answered += 1

    def run(self):
        try:
            while not self.end.is_set():
                self.ask(self.kept)
                if self.fresh:
                    with contextlib.closing(self.connect()) as connection:
                        self.ask(connection)
                time.sleep(0.002)
        except Exception as error:
            self.wrong.append(repr(error))


@contextlib.contextmanager
def watched(server, fresh=True):
    witness = Witness(server.port, fresh)
    witness.start()
    yield witness
    time.sleep(0.05)
    witness.end.set()
    witness.join(20)
    check(not witness.wrong, f"somebody else was not answered: {witness.wrong[:3]}")
    check(witness.answered > 5 and witness.worst < ANSWER_SECONDS_MAX, f"{witness.answered} answers, the slowest in {witness.worst:.2f} s")


@contextlib.contextmanager
def serving(*options, **popen):
    server = Server("--model", f"dart={DART}", *options, **popen)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
    check(server.process.returncode == 0, f"the server ended with {server.process.returncode}")


def folder_of(server):
    return pathlib.Path(f"/proc/{server.process.pid}")


def resident_kb(server):
    return int(re.search(r"VmRSS:\s+(\d+)", (folder_of(server) / "status").read_text())[1])


def descriptors(server):
    return len(list((folder_of(server) / "fd").iterdir()))


def settles(server, count, seconds=10):
    """Waits until no more than so many descriptors are open."""
    deadline = time.monotonic() + seconds
    while descriptors(server) > count and time.monotonic() < deadline:
        time.sleep(0.02)
    check(descriptors(server) <= count, f"{descriptors(server)} descriptors are left open, {count} were before")


def dial(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def at_rest(server):
    """How many descriptors are open once every loop has had a connection: what a loop opens for its first one is kept."""
    for _ in range(40):
        dial(server.port).close()
    time.sleep(0.2)
    return descriptors(server)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def gone(connection, seconds=10):
    """Whether the server has ended the connection."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def test_slow_clients_are_cut_and_others_are_answered():
    with serving("--net.header_ms", "600", "--net.body_ms", "600") as server, watched(server):
        before = at_rest(server)
        for _ in range(ROUNDS):
            heads, bodies = [[dial(server.port) for _ in range(50)] for _ in range(2)]
            for one in bodies:
                one.sendall(HEAD % 1000 + b"{")
            deadline = time.monotonic() + 1.5
            while time.monotonic() < deadline:
                for one, byte in [(one, b"G") for one in heads] + [(one, b" ") for one in bodies]:
                    with contextlib.suppress(OSError):
                        one.send(byte)
                time.sleep(0.1)
            check(all(gone(one, 3) for one in heads + bodies), "a slow client was waited for")
            for one in heads + bodies:
                one.close()
        settles(server, before + 2)


def test_slow_readers_are_cut_and_others_are_answered():
    with serving("--net.write_ms", "500", "--limits.worker_share_percent", "100") as server, watched(server):
        before = at_rest(server)
        for _ in range(ROUNDS):
            readers = [dial(server.port) for _ in range(3)]
            for one in readers:  # more answers than the kernel holds for somebody who does not read them
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.settimeout(1)
                with contextlib.suppress(OSError):
                    one.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 3000)
            settles(server, before + 2)
            for one in readers:
                one.close()


def test_resets_in_the_middle_of_bodies():
    with serving() as server, watched(server):
        before = at_rest(server)
        for number in range(600 * ROUNDS):
            one = dial(server.port)
            whole = HEAD % len(BODY) + BODY.encode()
            one.sendall(whole[:number * 7 % len(whole)])
            reset(one)
        settles(server, before + 2)


def test_half_open_connections():
    with serving("--net.header_ms", "700", "--net.idle_ms", "700") as server, watched(server):
        before = at_rest(server)
        for _ in range(ROUNDS):
            cut, whole = [[dial(server.port) for _ in range(100)] for _ in range(2)]
            for one in cut:  # half a request, and its end
                one.sendall(HEAD % 100 + b"{")
                one.shutdown(socket.SHUT_WR)
            for one in whole:  # all of it: who ends behind it still gets the answer
                one.sendall(HEAD % len(BODY) + BODY.encode())
                one.shutdown(socket.SHUT_WR)
            check(all(one.recv(12) == b"HTTP/1.1 200" for one in whole), "a request that was whole was not answered")
            check(all(gone(one) for one in cut + whole), "a half-open connection is kept")
            silent = [dial(server.port) for _ in range(100)]  # whose other end is gone without a word
            check(all(gone(one, 5) for one in silent), "a silent connection is kept")
            for one in cut + whole + silent:
                one.close()
        settles(server, before + 2)


def test_ten_thousand_idle_connections():
    count, own = 10_000, 1_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + own:
        raise Skip(f"this machine lets a process have {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + own), hard))
    low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))  # the server raises its own
    with serving("--net.connections_max", "10100", "--net.connections_per_address_max", "10100", preexec_fn=low) as server:
        with watched(server):
            before, memory = at_rest(server), resident_kb(server)
            idle = [dial(server.port) for _ in range(count)]
            deadline = time.monotonic() + 20
            while descriptors(server) < count and time.monotonic() < deadline:
                time.sleep(0.05)
            check(descriptors(server) >= count, f"{descriptors(server)} of {count} are connected")
            each = (resident_kb(server) - memory) / count
            print(f"10,000 idle connections: {each:.2f} KB each", flush=True)
            check(each <= 4, f"{each:.1f} KB each")
            time.sleep(30 if LONG else 0.5)
        for one in idle[::100]:  # some wake up
            one.sendall(HEAD % len(BODY) + BODY.encode())
            check(one.recv(12) == b"HTTP/1.1 200", "who was idle is not answered")
        with watched(server):
            for one in idle:
                reset(one)
            settles(server, before + 2, 30)


def have_few_descriptors():
    """Also for root, who may raise hard limits, which a service may not."""
    pr_capbset_drop, cap_sys_resource = 24, 24
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    ctypes.CDLL(None).prctl(pr_capbset_drop, cap_sys_resource, 0, 0, 0)


def test_a_shortfall_of_descriptors_is_said():
    with serving(preexec_fn=have_few_descriptors) as server:
        server.log.seek(0)
        said = [event for event in map(json.loads, server.log) if event["event"] == "descriptors_short"]
        check(said and said[0]["allowed"] == "100", f"{said}")


def test_no_descriptor_left():
    with serving(preexec_fn=have_few_descriptors) as server, watched(server, fresh=False):  # on the connection that it has
        before = at_rest(server)
        for _ in range(ROUNDS):
            many = [dial(server.port) for _ in range(300)]
            refused, deadline = 0, time.monotonic() + 20  # accepting rests now and then
            while refused <= 100 and time.monotonic() < deadline:
                refused = sum(gone(one, 0.002) for one in many)
            check(refused > 100 and descriptors(server) <= 100, f"{refused} of 300 were turned away")
            for one in many:
                one.close()
            settles(server, before + 1)
            after = Witness(server.port)  # who comes now is served again
            after.ask(after.kept)
            after.kept.close()
            check(not after.wrong, f"{after.wrong}")


def test_no_memory_left():
    with serving("--net.loop_count", "2") as server, watched(server, fresh=False) as witness:
        time.sleep(0.2)
        size = int(re.search(r"VmSize:\s+(\d+)", (folder_of(server) / "status").read_text())[1]) * 1024
        limits = resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + (64 << 20), resource.RLIM_INFINITY))
        before, answers = at_rest(server), []
        for _ in range(ROUNDS):
            large = [dial(server.port) for _ in range(8)]
            for one in large:  # each within its route's limit, together more than there is
                one.settimeout(0.2)
                with contextlib.suppress(OSError):
                    one.sendall(HEAD % (60 << 20))
                    for _ in range(30):
                        one.sendall(b" " * (1 << 20))
            for one in large:
                one.settimeout(0.2)
                with contextlib.suppress(OSError):
                    answers.append(one.recv(12))
                reset(one)
            settles(server, before + 1)
        check(any(answer in (b"HTTP/1.1 413", b"HTTP/1.1 503", b"HTTP/1.1 429", b"") for answer in answers), f"nobody was refused: {answers}")
        count = witness.answered
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, limits)
        deadline = time.monotonic() + 10
        while witness.answered == count and time.monotonic() < deadline:
            time.sleep(0.02)
        check(witness.answered > count and server.process.poll() is None, "it did not recover")


if __name__ == "__main__":
    run_suite(globals())
