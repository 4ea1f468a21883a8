"""Who may call, over real connections: certificates made by OpenSSL, tokens of an issuer, MLflow's users, gRPC without credentials."""
import base64
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import tempfile
import threading
import time

from harness import ROOT, SCRATCH, Bank, Copy, Server, Skip, check, contains, run, run_suite

IDENTITY = "spiffe://bank/scorer"


# ---- certificates ----

def openssl(*arguments):
    code, out, err = run("openssl", *arguments)
    check(code == 0, f"openssl {arguments}: {err}")
    return out


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def certificate(folder, name, by, names, days="2"):
    """NAME.pem and NAME.key, with other names as OpenSSL writes them; days below 0: it has ended."""
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/O=Bank/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.csr")
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}.key",
            "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", folder / f"{name}.pem")


@contextlib.contextmanager
def bank_of(*options):
    """A bank with a service `scorer` that is known by a certificate, and its server over TLS with a client CA."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        folder = pathlib.Path(name)
        authority(folder, "ca")
        authority(folder, "other")
        certificate(folder, "server", "ca", "DNS:localhost,IP:127.0.0.1")
        bank = Bank(folder)
        bank.enroll("admin")
        bank.hire("dana", ["developer"], 1)
        bank.hire("scorer", ["client"], service=True)
        bank.admin.cli("propose", "role", "scorer", "--change", json.dumps({"identities": [f"uri:{IDENTITY}", "jwt:svc-1"]}))
        bank.server.stop()
        bank.folder = folder
        tls = ["--listen", "tls:127.0.0.1:0", "--net.tls_certificate", folder / "server.pem", "--net.tls_key", folder / "server.key",
               "--net.tls_client_ca", folder / "ca.pem"]
        bank.server = Server(bank.data, *tls, *options)
        try:
            yield bank
        finally:
            if bank.server.process.poll() is None:
                bank.server.stop()


def whoami(bank, name=None, token=None):
    """(status, answer) over TLS; the handshake's refusal as (0, words)."""
    context = ssl.create_default_context(cafile=bank.folder / "ca.pem")
    if name:
        context.load_cert_chain(bank.folder / f"{name}.pem", bank.folder / f"{name}.key")
    connection = http.client.HTTPSConnection("localhost", bank.server.ports()[1], timeout=10, context=context)
    try:
        connection.request("GET", "/api/v1/whoami", headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (ssl.SSLError, ConnectionError) as refusal:
        return 0, str(refusal)
    finally:
        connection.close()


def test_r84_a_certificate_with_an_approved_name_is_its_user():
    with bank_of() as bank:
        certificate(bank.folder, "scorer", "ca", f"URI:{IDENTITY}")
        certificate(bank.folder, "stranger", "ca", "URI:spiffe://bank/stranger")
        certificate(bank.folder, "plain", "ca", "")
        certificate(bank.folder, "forged", "other", f"URI:{IDENTITY}")
        certificate(bank.folder, "ended", "ca", f"URI:{IDENTITY}", days="-1")
        status, answer = whoami(bank, "scorer")
        check(status == 200 and answer["id"] == "scorer" and answer["authenticated_by"] == "certificate", f"{status} {answer}")
        for name, words in (("stranger", "nobody here is known as uri:spiffe://bank/stranger"),
                            ("plain", "nobody here is known as subject:CN=plain,O=Bank"), (None, "say who you are")):
            status, answer = whoami(bank, name)
            check(status == 401, f"{name}: {status} {answer}")
            contains(answer["detail"], words)
        for name in ("forged", "ended"):
            status, answer = whoami(bank, name)
            check(status == 0 and "alert" in answer, f"{name}: {status} {answer}")
        status, answer = whoami(bank, "scorer", bank.dana.token)  # a header counts before the certificate
        check(status == 200 and answer["id"] == "dana", f"{status} {answer}")
        status, answer = whoami(bank, "scorer", "axm_wrong")
        check(status == 401, f"{status} {answer}")
        bank.admin.cli("propose", "role", "scorer", "--change", json.dumps({"identities": []}))
        check(whoami(bank, "scorer")[0] == 401, "an identity that was taken back still opens")


# ---- tokens of an issuer ----

def signer():
    """A function that signs claims with a key of that name, and the key's JWK; from the `cryptography` package."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError:
        raise Skip("the package cryptography is not there") from None

    def text(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def make(name):
        key = rsa.generate_private_key(65537, 2048)
        numbers = key.public_key().public_numbers()
        jwk = {"kty": "RSA", "kid": name, "n": text(numbers.n.to_bytes(256, "big")), "e": text(numbers.e.to_bytes(3, "big"))}

        def sign(**claims):
            claims = {"iss": "https://id.bank", "aud": "axiom", "exp": int(time.time()) + 300, **claims}
            front = f"{text(json.dumps({'alg': 'RS256', 'kid': name}).encode())}.{text(json.dumps(claims).encode())}"
            return f"{front}.{text(key.sign(front.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
        return sign, jwk
    return make


class Issuer(http.server.BaseHTTPRequestHandler):
    keys = []

    def do_GET(self):
        body = json.dumps({"keys": self.keys}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_r84_tokens_of_an_issuer_open_what_their_subject_and_groups_may():
    make = signer()
    sign, jwk = make("one")
    Issuer.keys = [jwk]
    source = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=source.serve_forever, daemon=True).start()
    options = ["--jwt.issuer", "https://id.bank", "--jwt.keys", f"http://127.0.0.1:{source.server_port}/keys", "--jwt.roles", "scorers=client"]
    with bank_of(*options) as bank:
        def ask(token, tries=1):
            for _ in range(tries):
                status, answer = whoami(bank, token=token)
                if status == 200:
                    break
                time.sleep(0.5)
            return status, answer
        status, answer = ask(sign(sub="svc-1"), 20)  # the keys come with the first job
        check(status == 200 and answer["id"] == "scorer" and answer["authenticated_by"] == "jwt", f"{status} {answer}")
        status, answer = ask(sign(sub="bob", groups=["scorers"]))
        check(status == 200 and answer["id"] == "jwt:bob" and answer["roles"] == ["client"], f"{status} {answer}")
        for claims, words in (({"sub": "bob"}, "nobody here is known as jwt:bob"), ({"sub": "svc-1", "aud": "other"}, "another audience"),
                              ({"sub": "svc-1", "exp": 1}, "has expired"), ({"sub": "svc-1", "iss": "x"}, "another issuer")):
            status, answer = ask(sign(**claims))
            check(status == 401, f"{claims}: {status} {answer}")
            contains(answer["detail"], words)
        other, second = make("two")  # a rotation: seen when a token shows the new key, ten seconds after the last look
        Issuer.keys = [second]
        status, answer = ask(other(sub="svc-1"))
        check(status == 401, f"{status} {answer}")
        status, answer = ask(other(sub="svc-1"), 40)
        check(status == 200, f"the new key is not known: {status} {answer}")
        source.shutdown()
        check(ask(other(sub="svc-1"))[0] == 200, "the last good keys did not go on")


# ---- gRPC: each method, from its description ----

def test_r83_no_method_of_grpc_is_open_that_does_not_say_so():
    try:
        import grpc
        from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
        from google.protobuf import descriptor_pb2
    except ImportError as missing:
        raise Skip(f"{missing.name} is not there") from None
    with Copy() as bank:
        bank.admin.cli("propose", "role", "loans", "--change", json.dumps({"models": {"other*": "USE"}}))
        channel = grpc.insecure_channel(f"127.0.0.1:{bank.server.port}")
        ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        request = reflection_pb2.ServerReflectionRequest
        answer = next(ask(iter([request(file_containing_symbol="inference.GRPCInferenceService")])))
        files = [descriptor_pb2.FileDescriptorProto.FromString(one) for one in answer.file_descriptor_response.file_descriptor_proto]
        methods = [method for file in files for service in file.service for method in service.method]
        check(len(methods) > 10, f"{methods}")

        def call(method, metadata, body=b""):
            path = f"/inference.GRPCInferenceService/{method.name}"
            if method.client_streaming:
                made = channel.stream_stream(path)(iter([body]), metadata=metadata, timeout=10)
            else:
                made = channel.unary_unary(path).future(body, metadata=metadata, timeout=10)
            try:
                list(made) if method.client_streaming else made.result()
                return "OK"
            except grpc.RpcError as error:
                return error.code().name

        def bearer(person):
            return [("authorization", f"Bearer {person.token}")]
        public = {"ServerLive", "ServerReady", "ServerMetadata"}
        body = b"\x0a\x06credit"  # the model's name in the first field, where those that are about one have it
        for method in methods:
            nobody = call(method, [])
            if nobody == "OK":
                check(method.name in public, f"{method.name} is open to anybody")
                continue
            check(nobody == "UNAUTHENTICATED", f"{method.name}: {nobody}")
            check(call(method, [("authorization", "Bearer axm_wrong")]) in ("UNAUTHENTICATED", "RESOURCE_EXHAUSTED"), method.name)
            code = call(method, bearer(bank.aud))
            check(code == "PERMISSION_DENIED", f"{method.name} by an auditor: {code}")
            code = call(method, bearer(bank.loans), body)
            empty = method.name in ("RepositoryIndex", "ModelStatistics") or method.client_streaming
            check(code == "PERMISSION_DENIED" or (empty and code in ("OK", "UNIMPLEMENTED", "PERMISSION_DENIED")), f"{method.name} by who is limited: {code}")
        status, answer = bank.decide(1)
        check(status == 403 and "no grant of theirs" in answer["detail"], f"{status} {answer}")
        bank.admin.cli("propose", "role", "loans", "--change", json.dumps({"models": {"cred*": "USE"}}))
        bank.decided(1)


# ---- MLflow's users ----

def test_mlflows_auth_client_manages_users_and_permissions():
    mlflow_auth(3)


def test_mlflows_auth_client_manages_users_and_permissions_with_mlflow_2():
    mlflow_auth(2)


def mlflow_auth(version):
    python = ROOT / ".deps" / f"mlflow-{version}" / "bin" / "python"
    if not python.exists():
        raise Skip(f"{python} is not there: tools/setup tests makes it")
    with bank_of("--tracking.default_permission", "NO_PERMISSIONS") as bank, tempfile.TemporaryDirectory() as home:
        flow = pathlib.Path(__file__).parent / "mlflow_auth.py"
        done = subprocess.run([str(python), str(flow)], capture_output=True, text=True, timeout=300, cwd=home,
                              env={**os.environ, "HOME": home, "MLFLOW_TRACKING_URI": bank.server.url,
                                   "ADMIN_TOKEN": bank.admin.token, "DANA_TOKEN": bank.dana.token})
        bank.server.log.seek(0)
        said = bank.server.log.read()
        check(done.returncode == 0, f"{done.stdout[-500:]}{done.stderr[-3000:]}\n{said[-1000:]}")
        for secret in ("eves password", "another password", bank.admin.token, bank.dana.token):
            check(secret not in said, "a secret is in the log")


# ---- secrets ----

def test_r92_secrets_are_in_no_command_line_no_log_and_no_core():
    with bank_of() as bank:
        whoami(bank, token=bank.dana.token)
        process = pathlib.Path("/proc") / str(bank.server.process.pid)
        seen = (process / "cmdline").read_bytes() + (process / "limits").read_bytes()
        bank.server.log.seek(0)
        seen += bank.server.log.read().encode()
        for token in (bank.dana.token, bank.admin.token):
            check(token.encode() not in seen, "a token is shown")
        core = [line for line in (process / "limits").read_text().splitlines() if line.startswith("Max core file size")]
        check(core[0].split()[4:6] == ["0", "0"], f"a core could be dumped: {core}")
        data = b"".join(path.read_bytes() for path in bank.data.rglob("*") if path.is_file())
        check(bank.dana.token.encode() not in data, "a token is at rest in clear")


if __name__ == "__main__":
    run_suite(globals())
