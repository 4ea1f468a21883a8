#!/usr/bin/env python3
"""What an idle connection costs the server in memory, beyond the kernel's: of HTTP/1.1 and HTTP/2, in cleartext and under TLS 1.3.

usage: bench/idle.py [CONNECTIONS [REQUESTS]]

Each connection asks (once, or so often), so that nothing is left to be made, and then rests. A server with one loop for each kind; the growth of its
resident memory from a quarter of the connections to all of them, divided by how many that are, is what one of them costs.
"""
import contextlib
import pathlib
import re
import resource
import socket
import ssl
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from tls_surface import Listener  # noqa: E402

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
# HTTP/2: the preface, empty settings, then a head with the end of the stream: GET, http, /healthz, localhost
HEAD = b"\x82\x86\x04\x08/healthz\x01\x09localhost"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4\0" + bytes(4)
ACK, PATIENCE_SECONDS, REST_SECONDS = bytes(3) + b"\4\1" + bytes(4), 20, 3


def resident_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def ask(connection, http2, number):
    """One request and its answer, whole."""
    if http2:
        frame = len(HEAD).to_bytes(3, "big") + b"\1\5" + (2 * number + 1).to_bytes(4, "big") + HEAD
        connection.sendall(frame if number else PREFACE + frame)
    else:
        connection.sendall(GET)
    said = b""
    while b'"status"' not in said:
        piece = connection.recv(65536)
        if not piece:
            sys.exit(f"idle: the server ended the connection after {said}")
        said += piece


def rest(listener, secure, http2, requests):
    """A connection that has had its answers."""
    connection = socket.create_connection(("127.0.0.1", listener.port if secure else listener.server.port), timeout=PATIENCE_SECONDS)
    if secure:
        context = ssl.create_default_context(cafile=listener.folder / "cert.pem")
        context.set_alpn_protocols(["h2" if http2 else "http/1.1"])
        connection = context.wrap_socket(connection, server_hostname="localhost")
    for number in range(requests):
        ask(connection, http2, number)
    if http2:
        connection.sendall(ACK)
    return connection


def settled_kb(pid):
    """Resident memory that has come to rest."""
    before, end = -1, time.monotonic() + 5 * REST_SECONDS
    while time.monotonic() < end:
        time.sleep(REST_SECONDS)
        now = resident_kb(pid)
        if now == before:
            break
        before = now
    return resident_kb(pid)


def cost_kb(count, secure, http2, requests):
    with contextlib.ExitStack() as stack:
        limits = ("--net.connections_max", str(count + 100), "--net.connections_per_address_max", str(count + 100), "--net.loop_count", "1",
                  "--net.idle_ms", "10m")
        listener = stack.enter_context(Listener(*limits))
        pid, some = listener.server.process.pid, count // 4
        kept = [stack.enter_context(rest(listener, secure, http2, requests)) for _ in range(some)]
        before = settled_kb(pid)
        kept += [stack.enter_context(rest(listener, secure, http2, requests)) for _ in range(count - some)]
        return (settled_kb(pid) - before) / (count - some)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1_000), hard))
    for name, secure, http2 in (("HTTP/1.1", False, False), ("HTTP/2", False, True), ("TLS, HTTP/1.1", True, False), ("TLS, HTTP/2", True, True)):
        print(f"{name:14} {cost_kb(count, secure, http2, requests):6.2f} KB each, of {count} idle connections after {requests} requests", flush=True)


if __name__ == "__main__":
    main()
