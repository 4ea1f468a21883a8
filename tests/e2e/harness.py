"""What the end-to-end suites share: a bank that decides, programs to run, and how tests are told.

A suite is a file with functions named test_...; it ends with `run_suite(globals())`. Each prints
"ok NAME", "SKIP NAME" or "FAILED NAME"; the last line is "N passed, N failed". The programs are
those of AXIOM and AXIOM_VERIFY, else those of build/.
"""
import atexit
import contextlib
import csv
import importlib.machinery
import importlib.util
import io
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("AXIOM_SHARED", ROOT.parent / "shared"))
sys.path.insert(0, str(ROOT / "demo"))
import bank as demo_bank  # noqa: E402
from bank import AXIOM, VERIFY, Bank, Person, Server  # noqa: E402, F401

SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="axiom-e2e-"))
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
DEPLOYMENT = {"champion": {"model": "credit", "version": 1}, "challengers": [{"model": "credit-card", "version": 1}],
              "fallback": {"model": "credit-card", "version": 1}, "policy": {"name": "credit-policy", "version": 1},
              "record": "durable", "tier": 2, "breaker": {"error_rate": 0.05, "calls_min": 200, "wait_s": 30}}


class Skip(Exception):
    """This machine cannot show it; the words say why."""


def check(holds, words):
    if not holds:
        raise AssertionError(words)


def contains(text, *parts):
    for part in parts:
        check(part in text, f"{part!r} is not in: {text}")


def run(*arguments, **options):
    """A program to its end: (exit code, standard output, standard error)."""
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


def refused(*arguments, says=(), **options):
    """The program ends with code 1 and one sentence that holds all of says."""
    code, out, err = run(*arguments, **options)
    last = err.strip().splitlines()[-1] if err.strip() else ""
    check(code == 1, f"{arguments}: code {code}, {out}{err}")
    contains(last, *says)
    return last


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def demo():
    """The demonstration's steps as a module: the suites start where it ends."""
    loader = importlib.machinery.SourceFileLoader("axiom_demo", str(ROOT / "demo" / "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("axiom_demo", loader))
    loader.exec_module(module)
    return module


DEMO = demo()
ROWS = list(csv.DictReader(DEMO.DATA.open()))
TEMPLATES = {}


def deploy_all(bank, record):
    """From a fresh server to models that are validated, approved and deployed; nothing is printed."""
    with contextlib.redirect_stdout(io.StringIO()):
        DEMO.hire_everybody(bank)
        DEMO.data(bank)
        trained = DEMO.train(bank)
        DEMO.validate(bank, trained)
        DEMO.approve(bank, trained)
        for kind in ("reasons", "policy"):
            bank.propose_and_approve(bank.dana, bank.ada, kind, "propose", f"credit-{kind}",
                                     "--change", f"@{ROOT / 'demo' / f'{kind}.json'}")
        body = json.dumps({**DEPLOYMENT, "record": record})
        bank.propose_and_approve(bank.dee, bank.ada, "deploy", "credit", "--change", body)
        bank.inputs = bank.dana.cli("model", "version", "credit", 1)["inputs"]


def make_template(record):
    """A folder in which a bank has its models deployed; its server is stopped."""
    folder = SCRATCH / f"template-{record}"
    folder.mkdir()
    bank = Bank(folder)
    try:
        deploy_all(bank, record)
    finally:
        bank.server.stop()
    return bank


class Copy(Bank):
    """A bank of one's own: a copy of the template's folder, with a server over it."""

    def __init__(self, record="durable", options=(), start=True):
        if record not in TEMPLATES:
            TEMPLATES[record] = make_template(record)
        template = TEMPLATES[record]
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        shutil.copytree(template.folder, self.folder, dirs_exist_ok=True)
        self.data = self.folder / "data"
        self.keys = self.folder / template.keys.relative_to(template.folder)
        self.vkey = self.keys / "ledger.vkey"
        self.inputs = template.inputs
        self.people = {name: Person(self, name, one.token) for name, one in template.people.items()}
        self.admin = self.people["admin"]
        self.server = None
        if start:
            self.start(*options)

    def start(self, *options, **more):
        self.server = Server(self.data, "--server.keys", self.keys, *options, **more)
        return self.server

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server and self.server.process.poll() is None:
            self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def features(self, number):
        return DEMO.features_of(ROWS[number % len(ROWS)], self.inputs)

    def decide(self, number, request=None, features=None, person=None):
        """(status, answer) of one application."""
        body = {"request_id": request or f"application-{number}", "entity_id": f"applicant-{number}",
                "features": features or self.features(number)}
        return (person or self.people["loans"]).http("POST", "/api/v1/deployments/credit/decisions", body)

    def decided(self, number, **more):
        status, answer = self.decide(number, **more)
        check(status == 200, f"application {number}: {status} {answer}")
        return answer

    def verify(self, *words, folder=None):
        """The separate verifier's word about the ledger: (exit code, what it said)."""
        code, out, err = run(VERIFY, folder or self.data, "--vkey", self.vkey, *words)
        return code, out + err

    def checkpoint(self):
        """The newest signed checkpoint, kept in a file outside the data directory."""
        kept = self.folder / f"checkpoint-{time.monotonic_ns()}"
        kept.write_text(self.people["aud"].http("GET", "/api/v1/ledger/checkpoint?fresh=true", text=True)[1])
        return kept

    def log(self):
        self.server.log.seek(0)
        return self.server.log.read()


class Postgres:
    """A server of one's own; databases in it by number."""

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="axiom-postgres-", dir="/tmp"))
        self.process = subprocess.Popen([ROOT / "tests" / "postgres_server", self.folder, *options], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.numbers = itertools.count(1)
        said = self.process.stdout.readline().strip()
        if said == "absent":
            raise Skip("PostgreSQL is not installed here: tools/setup tests installs it")
        check(said == "ready", f"PostgreSQL did not start: {said}")

    def tell(self, order, answer):
        self.process.stdin.write(order + "\n")
        said = self.process.stdout.readline().strip()
        check(said == answer, f"{order}: {said}")

    def database(self, address=""):
        """The URL of a new, empty database."""
        name = f"bank{next(self.numbers)}"
        self.tell(f"database {name}", "made")
        return f"postgresql://postgres@/{name}?host={self.folder}" if not address else f"postgresql://postgres@{address}/{name}"

    def sql(self, url, text):
        code, out, err = run("psql", "-qAt", url, "-c", text)
        check(code == 0, f"{text}: {err}")
        return out.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)


OF_SUITE = []


def suite_postgres():
    """With AX_TEST_STORE=postgres, as for the tests in C, one PostgreSQL for all servers of a suite; else None."""
    if os.environ.get("AX_TEST_STORE") == "postgres" and not OF_SUITE:
        OF_SUITE.append(Postgres())
        atexit.register(OF_SUITE[0].__exit__)
    return OF_SUITE[0] if OF_SUITE else None


def store_options():
    """What makes a server keep what it has in a new database of that PostgreSQL."""
    server = suite_postgres()
    return ("--store.url", server.database()) if server else ()


class Outside(Copy):
    """A bank of one's own whose database is a PostgreSQL; deployed, unless told otherwise."""

    def __init__(self, server, deployed=True):
        self.url = server.database()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        Bank.__init__(self, self.folder, "--store.url", self.url)
        if deployed:
            deploy_all(self, "durable")


def deployed(*options):
    """A bank with its models deployed, on the suite's PostgreSQL where there is one."""
    if not suite_postgres():
        return Copy(options=options)
    bank = Outside(suite_postgres())
    bank.server.stop()
    bank.start(*options)
    return bank


def raw(port, data, seconds=5):
    """Bytes sent over a connection of their own, and all that came back until the other end closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def run_suite(names):
    """Runs every test_... of a suite, in the order they stand there; ends the process."""
    failed = passed = skipped = 0
    chosen = sys.argv[1:]
    for name, test in list(names.items()):
        if not name.startswith("test_") or (chosen and not any(one in name for one in chosen)):
            continue
        name = name.removeprefix("test_")
        try:
            test()
            passed += 1
            print(f"ok     {name}", flush=True)
        except Skip as why:
            skipped += 1
            print(f"{name} skipped: {why}\nSKIP   {name}", flush=True)
        except (Exception, SystemExit) as error:  # stop() of the demonstration's bank ends a process
            failed += 1
            where = traceback.extract_tb(error.__traceback__)
            at = next((one for one in where if "tests/e2e" in one.filename and "harness" not in one.filename), where[-1])
            print(f"{pathlib.Path(at.filename).name}:{at.lineno}: {error or type(error).__name__}\nFAILED {name}", flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed else 0)
