#!/usr/bin/env python3
"""The edge under load for long: HTTP/1, HTTP/2 and TLS at four fifths of what the machine gives, while connections come and
go and certificates are read again.

usage: soak_edge.py [MINUTES]

Fails when a request is not answered well, when memory grows by more than a tenth (and 8 MB) after the first fifth of the
time, or when descriptors grow.
"""
import http.client
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from chaos import BODY, DART, descriptors, folder_of, serving  # noqa: E402
from harness import SCRATCH, check  # noqa: E402
from wire import make_certificate  # noqa: E402

SHARE, CLIENTS, ROUND_SECONDS = 0.8, 4, 5
PATH = "/v2/models/dart/infer"


def loads(ports, body, rate=None, seconds=3):
    """Three h2load at once, to their ends: requests a second together. Each of their connections is a new one."""
    port, secure_port = ports
    words = ["h2load", "-D", seconds, "-c", CLIENTS, "-m", 4, "-d", body, *(["--rps", rate] if rate else [])]
    kinds = (["--h1", f"http://127.0.0.1:{port}{PATH}"], [f"http://127.0.0.1:{port}{PATH}"], [f"https://127.0.0.1:{secure_port}{PATH}"])
    running = [subprocess.Popen([str(one) for one in words + kind], stdout=subprocess.PIPE, text=True) for kind in kinds]
    rates = 0
    for one in running:
        said = one.communicate(timeout=60 + seconds)[0]
        counts = re.search(r"(\d+) total, .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", said)
        check(counts and int(counts[3]) > 0 and counts[4] == counts[5] == counts[6] == "0", said)
        status = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", said)
        check(status is not None, said)
        rates += int(counts[3]) / seconds
    return rates


class Churn(threading.Thread):
    """Connections that ask once and go, in cleartext and by TLS in turn."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ports, self.end, self.answered, self.wrong = ports, threading.Event(), 0, []
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.trust.check_hostname, self.trust.verify_mode = False, ssl.CERT_NONE

    def run(self):
        while not self.end.is_set():
            try:
                secure = self.answered % 2
                connection = (http.client.HTTPSConnection("127.0.0.1", self.ports[1], context=self.trust, timeout=20) if secure
                              else http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=20))
                connection.request("POST", PATH, BODY)
                answer = connection.getresponse()
                answer.read()
                connection.close()
                check(answer.status == 200, f"{answer.status}")
                self.answered += 1
            except Exception as error:
                self.wrong.append(repr(error))
            time.sleep(0.01)


def used(server):
    status = (folder_of(server) / "status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024, descriptors(server)


def log_of(server, reloads):
    """What was logged, once the last reload is in it; read aside, for the server writes where its own place is."""
    deadline = time.monotonic() + 5
    while True:
        log = pathlib.Path(f"/proc/{server.process.pid}/fd/2").read_text()
        if log.count('"reloaded"') >= reloads or time.monotonic() > deadline:
            return log
        time.sleep(0.05)


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    make_certificate(folder)
    body = folder / "body.json"
    body.write_text(BODY)
    with serving("--listen", "tls:127.0.0.1:0", "--net.tls_certificate", folder / "cert.pem", "--net.tls_key", folder / "key.pem") as server:
        ports = server.ports()
        most = loads(ports, body)
        rate = max(1, int(SHARE * most / 3 / CLIENTS))
        churn = Churn(ports)
        churn.start()
        began, first, rounds, answered = time.monotonic(), None, 0, 0
        while time.monotonic() - began < 60 * minutes:
            answered += ROUND_SECONDS * loads(ports, body, rate, ROUND_SECONDS)
            rounds += 1
            make_certificate(folder)
            server.process.send_signal(signal.SIGHUP)
            check(not churn.wrong, f"{churn.wrong[:3]}")
            if first is None and time.monotonic() - began > 12 * minutes:
                first = used(server)
        churn.end.set()
        churn.join(30)
        last = used(server)
        log = log_of(server, rounds)
        print(f"{minutes:g} minutes at {answered / rounds / ROUND_SECONDS:.0f} of {most:.0f} requests a second: {answered:.0f} answered, {churn.answered} on connections "
              f"of their own, {log.count(chr(34) + 'reloaded' + chr(34))} reloads; memory {first[0]:.1f} to {last[0]:.1f} MB, descriptors {first[1]} to {last[1]}", flush=True)
        check("reload_failed" not in log and log.count('"reloaded"') == rounds, "a reload failed")
        check(last[0] < 1.1 * first[0] + 8 and last[1] <= first[1] + 4, "memory or descriptors grow")
    print("1 passed, 0 failed")


if __name__ == "__main__":
    if not shutil.which("h2load"):
        sys.exit("soak: h2load is not installed (tools/setup bench)")
    main()
