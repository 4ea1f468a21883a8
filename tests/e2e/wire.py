#!/usr/bin/env python3
"""What the listeners say to real clients of HTTP/2 and TLS, and to those who mean no good: curl, nghttp, h2load,
h2spec and openssl against `axiom serve --model`, one port in cleartext and one with a certificate made here."""
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

from harness import AXIOM, ROOT, SCRATCH, Skip, check, contains, raw, run, run_suite  # noqa: E402

MODEL = ROOT / "tests" / "model" / "small" / "xgboost.json"
H2SPEC = ROOT / ".deps" / "bin" / "h2spec"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = b"\x82\x84\x86\x41\x01a"  # :method GET, :path /, :scheme http, :authority a
ENHANCE_YOUR_CALM = 11


def tool(name):
    found = shutil.which(name)
    if not found:
        raise Skip(f"{name} is not installed")
    return found


def make_certificate(folder, name="localhost"):
    run(tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", f"/CN={name}",
        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


class Wire:
    """The server with its two ports."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        make_certificate(self.folder)
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [AXIOM, "serve", "--model", f"small={MODEL}", "--listen", "127.0.0.1:0", "--listen", "tls:127.0.0.1:0",
             "--net.tls_certificate", self.folder / "cert.pem", "--net.tls_key", self.folder / "key.pem",
             "--net.compress_bytes_min", "200"], stderr=self.log)
        self.port, self.secure_port = self.ports()
        self.url, self.secure_url = f"http://127.0.0.1:{self.port}", f"https://127.0.0.1:{self.secure_port}"
        self.cacert = ("--cacert", self.folder / "cert.pem")

    def events(self, name):
        self.log.seek(0)
        return [event for event in map(json.loads, self.log) if event["event"] == name]

    def ports(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            ready = self.events("ready")
            if len(ready) == 2:
                return [int(event["port"]) for event in ready]
            check(self.process.poll() is None, "the server did not start")
            time.sleep(0.01)
        raise AssertionError("the server did not become ready")

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)


SERVERS = []


def wire():
    if not SERVERS:
        SERVERS.append(Wire())
    return SERVERS[0]


def curl(*words, says="%{http_version} %{response_code}"):
    """(what -w printed, body)."""
    body = SCRATCH / "curl-body"
    body.unlink(missing_ok=True)
    code, out, err = run(tool("curl"), "-sS", "-m", "20", "-o", body, "-w", says, *words)
    check(code == 0, f"curl {words}: {code} {err}")
    return out, body.read_bytes() if body.exists() else b""


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def goaway(answer):
    """The code of the first GOAWAY among the frames, or None."""
    at = 0
    while at + 9 <= len(answer):
        length = int.from_bytes(answer[at:at + 3], "big")
        if answer[at + 3] == 7:
            return int.from_bytes(answer[at + 13:at + 17], "big")
        at += 9 + length
    return None


def request():
    return {"inputs": [{"name": "input-0", "shape": [1, 3], "datatype": "FP32", "data": [30.0, 1000.0, 1.0]}]}


# ---- clients that mean well

def test_curl_speaks_every_version_on_one_port():
    for words, version in (((), "1.1"), (("--http2-prior-knowledge",), "2"), (("--http1.0",), "1.1")):
        out, body = curl(*words, f"{wire().url}/v2")
        check(out == f"{version} 200" and json.loads(body)["name"] == "axiom", f"{words}: {out} {body}")
    for words, version in ((("--http1.1",), "1.1"), (("--http2",), "2"), (("--no-alpn",), "1.1")):
        out, body = curl(*wire().cacert, *words, f"{wire().secure_url}/v2")
        check(out == f"{version} 200" and json.loads(body)["name"] == "axiom", f"TLS {words}: {out} {body}")


def test_refusals_keep_their_form_over_http2():
    for path, status in (("/v2/models/none", 404), ("/nothing", 404)):
        out, body = curl("--http2-prior-knowledge", wire().url + path)
        first = curl(wire().url + path)
        check(out == f"2 {status}" and first[1] == body, f"{path}: {out} {body} against {first}")
    out, body = curl("--http2-prior-knowledge", "--data-binary", "@/dev/stdin", f"{wire().url}/v2/models/small/infer",
                     "-d", "{")
    check(out == "2 400", f"{out} {body}")


def test_bodies_are_inflated_and_answers_compressed():
    url = f"{wire().url}/v2/models/small/infer"
    packed = SCRATCH / "body.gz"
    packed.write_bytes(gzip.compress(json.dumps(request()).encode()))
    plain = curl("-d", json.dumps(request()), url)
    for words in ((), ("--http2-prior-knowledge",)):
        out, body = curl(*words, "-H", "Content-Encoding: gzip", "--data-binary", f"@{packed}", url)
        check(out.endswith(plain[0].split()[1]) and body == plain[1], f"{out} {body} against {plain}")
        out, body = curl(*words, "-H", "Content-Encoding: br", "--data-binary", f"@{packed}", url)
        check(out.endswith(" 415") and b"error" in body, f"br: {out} {body}")
        packed.write_bytes(gzip.compress(bytes(80_000_000)))
        out, body = curl(*words, "-H", "Content-Encoding: gzip", "--data-binary", f"@{packed}", url)
        check(out.endswith(" 413"), f"a bomb: {out} {body}")
        packed.write_bytes(gzip.compress(json.dumps(request()).encode()))
        out, body = curl(*words, "--compressed", f"{wire().url}/metrics",
                         says="%{http_version} %{response_code} %{size_download} %header{content-encoding}")
        check(int(out.split()[2]) < len(body) and out.split()[3] in ("gzip", "zstd", "deflate"), f"{out}, {len(body)} bytes")


def test_nghttp_and_h2load_are_answered_whole():
    code, out, err = run(tool("nghttp"), "-nv", f"{wire().url}/v2", f"{wire().url}/v2/health/live")
    check(code == 0 and len(re.findall(":status: 200", out)) == 2, f"{out}{err}")
    for url in (wire().url, wire().secure_url):
        code, out, err = run(tool("h2load"), "-n", "20000", "-c", "8", "-m", "50", f"{url}/v2")
        contains(out, "20000 succeeded, 0 failed, 0 errored", "20000 2xx")


def test_h2spec_finds_what_it_wants():
    """A connection that does not begin with the preface is HTTP/1.1's here, which answers 400 in its own way and
    closes: h2spec wants to see it closed without a word (3.5, 2). Over TLS, where ALPN has said h2, it is."""
    if not H2SPEC.exists():
        raise Skip("h2spec is not built: tools/setup tests, with Go 1.21 or newer")
    for words, failing in ((("-p", wire().port), ["Sends invalid connection preface"]),
                           (("-t", "-k", "-p", wire().secure_port), [])):
        code, out, err = run(H2SPEC, "-h", "127.0.0.1", "-P", "/v2/models/small/infer", "-o", "3", *words)
        said = re.findall(r"^ +× \d+: (.*)$", out.partition("Failures:")[2], re.MULTILINE)
        passed = int(re.search(r"145 tests, (\d+) passed", out)[1])
        check(passed >= 143 and said == failing, f"{words}: {passed} passed; {said}{err}")


# ---- certificates

def test_tls_1_2_is_not_spoken_unless_allowed():
    code, _, _ = run(tool("curl"), "-sS", "--tls-max", "1.2", *wire().cacert, f"{wire().secure_url}/v2")
    check(code != 0, "TLS 1.2 was spoken")
    out, _ = curl("--tlsv1.3", *wire().cacert, f"{wire().secure_url}/v2")
    check(out.endswith(" 200"), out)


def serial(port):
    code, out, err = run(tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", stdin=subprocess.DEVNULL)
    pem = out[out.index("-----BEGIN"):out.index("-----END")] + "-----END CERTIFICATE-----\n"
    return run("openssl", "x509", "-noout", "-serial", input=pem)[1]


def test_certificates_are_reloaded_without_dropping_a_connection():
    server, before = wire(), serial(wire().secure_port)
    busy = subprocess.Popen([tool("h2load"), "-D", "2", "-c", "4", "-m", "4", f"{server.secure_url}/v2"],
                            stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    make_certificate(server.folder)
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5
    while serial(server.secure_port) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    check(serial(server.secure_port) != before, "the old certificate is shown")
    (server.folder / "cert.pem").rename(server.folder / "kept.pem")
    (server.folder / "cert.pem").write_text("nothing\n")
    server.process.send_signal(signal.SIGHUP)
    while not server.events("reload_failed") and time.monotonic() < deadline:
        time.sleep(0.05)
    check(server.events("reload_failed"), "a broken certificate was not noticed")
    (server.folder / "kept.pem").rename(server.folder / "cert.pem")
    check(serial(server.secure_port) != before, "the last good certificate is gone")
    contains(busy.communicate(timeout=20)[0], " 0 failed, 0 errored")


# ---- those who mean no good

def test_floods_are_answered_with_calm_and_others_are_served():
    settings = frame(4, 0, 0)
    floods = {
        "rapid reset": b"".join(frame(1, 5, 1 + 2 * i, GET) + frame(3, 0, 1 + 2 * i, b"\0\0\0\x08") for i in range(2000)),
        "pings": frame(6, 0, 0, b"abcdefgh") * 5000,
        "settings": settings * 5000,
        "empty data": frame(1, 4, 1, b"\x83" + GET[1:]) + frame(0, 0, 1) * 5000,
        "continuation": frame(1, 0, 1, GET) + frame(9, 0, 1) * 5000,
        "priority": frame(2, 0, 3, b"\0\0\0\1\x10") * 5000,
    }
    for name, flood in floods.items():
        code = goaway(talk(PREFACE + settings + flood))
        check(code == ENHANCE_YOUR_CALM, f"{name}: {code}")
        out, _ = curl("--http2-prior-knowledge", f"{wire().url}/v2")
        check(out == "2 200", f"after {name}: {out}")


def talk(data, seconds=10):
    """As raw(), but for a server that may end before everything is sent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", wire().port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
        except OSError:
            pass
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except OSError:
            pass
    return answer


def test_half_a_preface_is_neither_protocol_and_hurts_nobody():
    check(raw(wire().port, PREFACE[:10]) == b"", "half a preface was answered")
    check(raw(wire().port, b"PRI /x HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 "), "PRI is a method like others")


def test_the_server_drains_in_order():
    server = wire()
    busy = [subprocess.Popen([tool("h2load"), "-D", "3", "-c", "2", "-m", "2", *words], stdout=subprocess.PIPE, text=True)
            for words in ([f"{server.url}/v2"], ["--h1", f"{server.url}/v2"], [f"{server.secure_url}/v2"])]
    time.sleep(1)
    began = time.monotonic()
    check(server.stop() == 0, "the server did not stop in order")
    check(time.monotonic() - began < 5, "it took long to stop")
    for one in busy:
        out = one.communicate(timeout=20)[0]
        status = re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, (\d+) 5xx", out)
        check(status and int(status[1]) > 0 and int(status[2]) == 0, out)
    SERVERS.clear()


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    run_suite(globals())
