"""The bank of the demonstration: a server of its own, people with tokens and keys, and HTTP."""
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
AXIOM = pathlib.Path(os.environ.get("AXIOM", ROOT / "build" / "axiom"))
VERIFY = pathlib.Path(os.environ.get("AXIOM_VERIFY", ROOT / "build" / "axiom-verify"))


def stop(words):
    """The demonstration fails at the first thing that does not hold."""
    sys.exit(f"\nthe demonstration failed: {words}")


def run(*arguments, fails=False, env=None):
    """One call of a program; its output, or the sentence it refused with."""
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, env=env)
    if (done.returncode != 0) != fails:
        stop(f"{' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stderr}{done.stdout}")
    return done.stderr.strip() if fails else done.stdout


class Server:
    """`axiom serve DIR` on a free port."""

    def __init__(self, *options, program=AXIOM, **popen):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", *options],
                                        stderr=self.log, **popen)
        self.began = time.monotonic()
        self.port = self._wait()
        self.ready_ms = 1000 * (time.monotonic() - self.began)
        self.url = f"http://127.0.0.1:{self.port}"

    def _wait(self):
        while time.monotonic() - self.began < 20:
            self.log.seek(0)
            for line in self.log:
                event = json.loads(line)
                if event["event"] == "ready":
                    return int(event["port"])
            if self.process.poll() is not None:
                self.log.seek(0)
                stop(f"the server did not start:\n{self.log.read()}")
            time.sleep(0.005)
        stop("the server did not become ready in 20 s")

    def ports(self):
        """Of the listeners, in the order they were named."""
        self.log.seek(0)
        events = [json.loads(line) for line in self.log]
        return [int(event["port"]) for event in events if event["event"] == "ready"]

    def stop(self):
        self.process.terminate()
        if self.process.wait(timeout=20) != 0:
            self.log.seek(0)
            stop(f"the server did not stop in order:\n{self.log.read()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Person:
    """Somebody with a token, and perhaps a key: calls the CLI and the API as themselves."""

    def __init__(self, bank, name, token):
        self.bank, self.name, self.token = bank, name, token
        self.token_file = bank.folder / f"{name}.token"
        self.token_file.write_text(token)
        self.key = bank.folder / f"{name}.key"
        self.connection, self.used = None, 0.0

    def cli(self, *arguments, fails=False):
        """A verb of the CLI; the JSON it printed, or the refusal."""
        words = [AXIOM, *arguments, "--json", "--url", self.bank.server.url, "--token-file", self.token_file]
        text = run(*words, fails=fails)
        return text if fails else json.loads(text)

    def approve(self, proposal, comment="", fails=False):
        return self.cli("approve", proposal, "--key", self.key, "--comment", comment, fails=fails)

    def http(self, method, path, body=None, text=False):
        """(status, body) over a connection that is kept."""
        idle = time.monotonic() - self.used > 30  # the server closes what is idle for long
        if self.connection is None or idle or self.connection.port != self.bank.server.port:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.bank.server.port, timeout=60)
        data = json.dumps(body) if body is not None else None
        self.connection.request(method, path, data, {"Authorization": f"Bearer {self.token}",
                                                     "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        content = answer.read()
        self.used = time.monotonic()
        return answer.status, content.decode() if text else json.loads(content)


class Bank:
    """A data directory, its server and its people."""

    def __init__(self, folder, *options):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        made = json.loads(run(AXIOM, "init", self.data, "--json", *options))
        self.keys = pathlib.Path(made["keys"])
        self.vkey = self.keys / "ledger.vkey"
        self.people = {}
        self.server = Server(self.data)
        self.admin = Person(self, "admin", made["token"])
        self.people["admin"] = self.admin

    def __getattr__(self, name):
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    def hire(self, name, roles, line=0, service=False, manager=None):
        """A user with roles and a token; a person also gets a key of their own."""
        words = ["--kind", "service"] if service else ["--line", line]
        if manager:
            words += ["--manager", manager]
        self.admin.cli("user", "create", name, *words)
        self.admin.cli("propose", "role", name, "--change", json.dumps({"grant": roles}))
        token = self.admin.cli("token", "issue", name, "--days", 30)["token"]
        self.people[name] = Person(self, name, token)
        if not service and roles != ["auditor"]:  # who only reads signs nothing
            self.enroll(name)

    def enroll(self, name):
        person = self.people[name]
        run(AXIOM, "key", "new", person.key)
        proposal = person.cli("key", "enroll", name, "--key", person.key)
        if proposal["state"] == "open":
            self.admin.approve(proposal["id"], "seen in person")

    def propose_and_approve(self, proposer, approver, *words):
        """Proposal, signature, effect; the proposal as it stands then."""
        proposal = proposer.cli(*words)
        done = approver.approve(proposal["id"], "checked")
        if done["state"] != "applied":
            stop(f"proposal {proposal['id']} is {done['state']} after its approval")
        return done

    def metric(self, pattern):
        """Sum of the samples of /metrics that match."""
        _, text = self.admin.http("GET", "/metrics", text=True)
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(pattern, line))

    def quantile_us(self, name, share):
        """A quantile of a histogram, as the upper end of its bucket, in microseconds."""
        _, text = self.admin.http("GET", "/metrics", text=True)
        buckets = {}
        for line in text.splitlines():
            found = re.match(name + r'_bucket\{.*le="([^"]+)"\} (\d+)', line)
            if found and found.group(1) != "+Inf":
                buckets[float(found.group(1))] = buckets.get(float(found.group(1)), 0) + int(found.group(2))
        total = max(buckets.values(), default=0)
        return next((1e6 * top for top, count in sorted(buckets.items()) if total and count >= share * total), 0.0)
