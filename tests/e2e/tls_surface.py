"""What the TLS listener shows to those who look for weakness: testssl.sh's findings, and bytes that are no TLS, too much of it or too slow.

testssl.sh takes minutes: it runs with AX_LONG=1, as make check's lane surface does.
"""
import json
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from harness import ROOT, SCRATCH, Server, Skip, check, contains, run, run_suite

MODEL = ROOT / "tests" / "model" / "small" / "xgboost.json"
HEADER_MS = 1500
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ALERT, HANDSHAKE, DATA = 21, 22, 23
# What the scan's own certificate and machine earn, and not the listener: it is self-signed and lives two days.
NOT_OURS = ("cert_", "DNS_CAA", "HSTS", "security_headers", "engine_problem", "scanProblem", "cert")


def make_certificate(folder):
    code, _, err = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                       "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=localhost",
                       "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    check(code == 0, err)


class Listener:
    """One server with a TLS listener."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        make_certificate(self.folder)
        self.server = Server("--model", f"small={MODEL}", "--listen", "tls:127.0.0.1:0", "--net.tls_certificate", self.folder / "cert.pem",
                             "--net.tls_key", self.folder / "key.pem", "--net.header_ms", str(HEADER_MS), *options)
        self.port = self.server.ports()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def context(self, **more):
        context = ssl.create_default_context(cafile=self.folder / "cert.pem")
        for name, value in more.items():
            setattr(context, name, value)
        return context

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, context=None, name="localhost", session=None):
        """(what the server said, the connection's TLS)."""
        with (context or self.context()).wrap_socket(self.dial(), server_hostname=name, session=session) as tls:
            tls.sendall(GET)
            said = b""
            while piece := tls.recv(4096):
                said += piece
            return said, {"version": tls.version(), "alpn": tls.selected_alpn_protocol(), "session": tls.session,
                          "reused": tls.session_reused, "compression": tls.compression()}

    def alive(self):
        contains(self.ask()[0].decode(), "HTTP/1.1 200")

    def says(self, *pieces, wait=0.0, patience=20):
        """All that comes back, as records: [(type, bytes)]; and how long it took until the end."""
        with self.dial() as raw:
            raw.settimeout(patience)
            began = time.monotonic()
            got = b""
            try:
                for piece in pieces:
                    raw.sendall(piece)
                    time.sleep(wait)
                while piece := raw.recv(4096):
                    got += piece
            except (ConnectionResetError, BrokenPipeError):
                pass
            took = time.monotonic() - began
        records = []
        while len(got) >= 5:
            kind, _, size = struct.unpack(">BHH", got[:5])
            records.append((kind, got[5:5 + size]))
            got = got[5 + size:]
        return records, took


def record(kind, body, version=0x0301):
    return struct.pack(">BHH", kind, version, len(body)) + body


def client_hello():
    """A sound one, as OpenSSL makes it."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(into, out, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def scan_once(testssl, listener, *options):
    found = listener.folder / "found.json"
    found.unlink(missing_ok=True)
    subprocess.run([testssl, "--quiet", "--warnings", "off", "--color", "0", "--ip", "one", "--openssl-timeout", "30", "--jsonfile", found,
                    *options, f"127.0.0.1:{listener.port}"], capture_output=True, timeout=550, env={**os.environ, "TERM": "dumb"})
    return json.loads(found.read_text())


def scan(listener, *options):
    if not os.environ.get("AX_LONG"):
        raise Skip("testssl.sh takes minutes: AX_LONG=1, or make check")
    testssl = shutil.which("testssl") or shutil.which("testssl.sh")
    if not testssl:
        raise Skip("testssl.sh is not installed")
    for _ in range(3):  # on a loaded machine its own client may end before it has seen a ticket, which it calls a connect problem
        findings = scan_once(testssl, listener, *options)
        if not any("connect problem" in one["finding"] for one in findings):
            break
    check(len(findings) > 20, f"{findings}")
    bad = [f"{one['severity']} {one['id']}: {one['finding']}" for one in findings
           if one["severity"] not in ("OK", "INFO", "DEBUG") and not one["id"].startswith(NOT_OURS)]
    check(not bad, "\n".join(bad))
    return {one["id"]: one["finding"] for one in findings}


def test_testssl_finds_nothing():
    with Listener() as listener:
        found = scan(listener, "-p", "-s", "-f", "-S", "-H", "-I", "-T", "-BB", "-R", "-C", "-B", "-O", "-Z", "-F", "-A", "-L", "-4")
        contains(found["TLS1_3"], "offered")
        for old in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2"):
            contains(found[old], "not offered")


def test_testssl_finds_nothing_where_1_2_is_allowed():
    with Listener("--net.tls_allow_1_2", "true") as listener:
        found = scan(listener, "-p", "-s", "-f", "-R", "-C", "-B", "-Z", "-F", "-A", "-L", "-4", "-D", "-J")
        contains(found["TLS1_2"], "offered")
        contains(found["TLS1_1"], "not offered")


def test_versions_names_protocols_and_resumption():
    with Listener() as listener:
        said, tls = listener.ask()
        contains(said.decode(), "HTTP/1.1 200")
        check(tls["version"] == "TLSv1.3" and tls["compression"] is None and not tls["reused"], f"{tls}")
        _, again = listener.ask(context := listener.context())
        _, again = listener.ask(context, session=again["session"])
        check(again["reused"], "a ticket is taken")
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["http/1.1", "h2"], None)):
            context = listener.context()
            context.set_alpn_protocols(offered)
            with context.wrap_socket(listener.dial(), server_hostname="localhost") as one:
                check(one.selected_alpn_protocol() in ([chosen] if chosen else offered), f"{offered}: {one.selected_alpn_protocol()}")
        unnamed = listener.context(check_hostname=False)
        contains(listener.ask(unnamed, name="somebody.else.example")[0].decode(), "HTTP/1.1 200")
        contains(listener.ask(unnamed, name=None)[0].decode(), "HTTP/1.1 200")
        old = listener.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            listener.ask(old)
        except ssl.SSLError as error:
            contains(str(error).lower(), "version")
        else:
            check(False, "TLS 1.2 was spoken")


def test_what_is_no_tls_is_told_so_and_ended():
    hello = client_hello()
    hostile = {
        "HTTP in cleartext": [GET],
        "HTTP/2 in cleartext": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
        "noise": [bytes(range(7, 250)) * 40],
        "zeros": [bytes(2000)],
        "a record longer than there is": [struct.pack(">BHH", HANDSHAKE, 0x0301, 0xffff) + bytes(20000)],
        "data before any handshake": [record(DATA, b"hello")],
        "an alert before any handshake": [record(ALERT, b"\x02\x28")],
        "an empty handshake record": [record(HANDSHAKE, b"")],
        "a handshake of 16 MB": [record(HANDSHAKE, b"\x01\xff\xff\xff" + bytes(4000)) * 5],
        "a server's hello": [record(HANDSHAKE, b"\x02\x00\x00\x26\x03\x03" + bytes(36))],
        "a hello with a wrong length": [hello[:6] + b"\x00\x00\x05" + hello[9:]],
        "a hello, then noise": [hello, os.urandom(300)],
        "a hello, twice": [hello + hello],
        "SSL 2": [b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(40)],
    }
    with Listener() as listener:
        for name, pieces in hostile.items():
            records, took = listener.says(*pieces)
            check(took < 1 + 2 * HEADER_MS / 1000, f"{name}: {took:.1f} s")
            check(all(kind in (ALERT, HANDSHAKE, 20, DATA) for kind, _ in records), f"{name}: {records}")
            check(not any(kind == DATA and b"HTTP/1.1" in body for kind, body in records), f"{name}: answered")
            listener.alive()


def test_a_handshake_that_stalls_is_cut_at_its_deadline():
    hello = client_hello()
    with Listener() as listener:
        for name, pieces, wait in (("nothing", [], 0), ("half a hello", [hello[:100]], 0), ("a hello and no more", [hello], 0),
                                   ("a byte at a time", [hello[at:at + 1] for at in range(30)], 0.1)):
            _, took = listener.says(*pieces, wait=wait)
            check(took < 2 + 2 * HEADER_MS / 1000, f"{name}: cut after {took:.1f} s")
        listener.alive()


def test_a_broken_record_in_the_midst_ends_the_connection_alone():
    """A byte of an encrypted record is changed on its way: the request is not answered, and the next client is."""
    with Listener() as listener:
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = listener.context().wrap_bio(into, out, server_hostname="localhost")
        with listener.dial() as raw:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    raw.sendall(out.read())
                    into.write(raw.recv(65536))
            tls.write(GET)
            sent = bytearray(out.read())
            sent[-1] ^= 1
            raw.sendall(sent)
            got = b""
            try:
                while piece := raw.recv(65536):
                    got += piece
            except ConnectionResetError:
                pass
        into.write(got)
        try:
            said = tls.read(65536)
        except ssl.SSLError as error:
            said = str(error).encode()
        check(b"HTTP/1.1" not in said, f"{said}")
        listener.alive()


def test_many_handshakes_that_go_nowhere_keep_nobody_out():
    hello = client_hello()
    with Listener("--net.connections_per_address_max", "400") as listener:
        halves = [listener.dial() for _ in range(200)]
        for number, one in enumerate(halves):
            one.sendall(hello[:10 + number])
        listener.alive()
        for one in halves:
            one.close()
        listener.alive()


if __name__ == "__main__":
    run_suite(globals())
