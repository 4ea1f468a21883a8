"""Bad luck: a port in use, a second server, full and read-only disks, a store away, a clock that goes back, an orderly end."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

from harness import AXIOM, SCRATCH, Copy, Server, Skip, check, contains, free_port, refused, run, run_suite

NOBODY = 65534


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def test_a_port_in_use_is_named():
    with Copy() as bank:
        port = bank.server.port
        with Copy(start=False) as other:
            refused(AXIOM, "serve", other.data, "--server.keys", other.keys, "--listen", f"127.0.0.1:{port}", says=[str(port), "in use"])
            other.start()
            other.decided(1)


def test_a_second_server_on_the_same_directory_is_refused():
    with Copy() as bank:
        refused(AXIOM, "serve", bank.data, "--server.keys", bank.keys, "--listen", "127.0.0.1:0", says=[str(bank.data)])
        bank.decided(1)


def test_a_directory_that_is_none_is_refused():
    refused(AXIOM, "serve", SCRATCH / "nowhere", "--listen", "127.0.0.1:0", says=["nowhere"])
    (SCRATCH / "empty").mkdir()
    refused(AXIOM, "serve", SCRATCH / "empty", "--listen", "127.0.0.1:0", says=["empty"])
    check(not list((SCRATCH / "empty").iterdir()), "something was written into a directory that is no data directory")


def test_a_read_only_directory_is_named_and_left_as_it_was():
    if os.geteuid() != 0:
        raise Skip("only root can hand a directory to somebody else")
    program = SCRATCH / "axiom"
    shutil.copy(AXIOM, program)
    os.chmod(SCRATCH, 0o755)
    with Copy(start=False) as bank:
        os.chmod(bank.folder, 0o755)
        for path in [bank.data, bank.keys, *bank.data.rglob("*"), *bank.keys.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        server = bank.start(program=program, preexec_fn=as_nobody)
        bank.decided(1)
        server.stop()
        os.chmod(bank.data, 0o500)
        for path in bank.data.rglob("*"):
            os.chmod(path, 0o500 if path.is_dir() else 0o400)
        before = {path: path.stat().st_mtime_ns for path in bank.data.rglob("*")}
        refused(program, "serve", bank.data, "--server.keys", bank.keys, "--listen", "127.0.0.1:0", says=[str(bank.data)], preexec_fn=as_nobody)
        check(before == {path: path.stat().st_mtime_ns for path in bank.data.rglob("*")}, "something changed in a read-only directory")
        os.chmod(bank.data, 0o700)
        for path in bank.data.rglob("*"):
            os.chmod(path, 0o700 if path.is_dir() else 0o600)
        bank.start(program=program, preexec_fn=as_nobody)
        bank.decided(2)


class SmallDisk:
    """A file system of its own, which can be filled."""

    def __init__(self, megabytes):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.folder], capture_output=True, text=True)
        if done.returncode != 0:
            raise Skip(f"this machine lets no file system be mounted: {done.stderr.strip()}")

    def __enter__(self):
        return self

    def fill(self, leave):
        """A file that leaves so many bytes free."""
        free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
        with (self.folder / "ballast").open("ab") as ballast:
            while free > leave:
                size = min(free - leave, 1 << 20)
                ballast.write(b"x" * size)
                free -= size

    def empty(self):
        (self.folder / "ballast").unlink()

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True)


def test_a_full_disk_refuses_before_it_is_full_and_loses_nothing():
    with SmallDisk(200) as disk, Copy(start=False) as bank:
        shutil.copytree(bank.data, disk.folder / "data")
        bank.data = disk.folder / "data"
        bank.start("--ledger.segment_bytes", "1MiB", "--ledger.prepare_bytes", "1MiB")
        acknowledged = [bank.decided(number)["decision_id"] for number in range(20)]
        disk.fill(leave=8 << 20)  # under the reserve of 5 %
        until = time.monotonic() + 20
        while (status := bank.admin.http("GET", "/readyz")[0]) == 200 and time.monotonic() < until:
            acknowledged.append(bank.decided(len(acknowledged))["decision_id"])
            time.sleep(0.1)
        check(status == 503, "still ready on a full disk")
        status, answer = bank.decide(1, request="late")
        check(status == 503, f"a durable decision on a full disk: {status} {answer}")
        contains(answer["detail"], "disk of the ledger is nearly full")
        bank.rob.cli("kill", "throw", "deployment:credit", "--reason", "the reserve is for what must not be refused")
        bank.server.kill()
        disk.empty()
        bank.start("--ledger.segment_bytes", "1MiB")
        for decision in acknowledged:
            status, answer = bank.aud.http("GET", f"/api/v1/decisions/{decision}")
            check(status == 200, f"{decision} is lost: {answer}")
        status, answer = bank.decide(1, request="after")
        check(status == 403 and "kill switch" in answer["detail"], f"the kill switch was lost: {status} {answer}")
        bank.checkpoint()
        code, said = bank.verify()
        check(code == 0, said)


def test_a_disk_full_to_the_last_byte_loses_nothing():
    with SmallDisk(200) as disk, Copy(start=False) as bank:
        shutil.copytree(bank.data, disk.folder / "data")
        bank.data = disk.folder / "data"
        bank.start("--ledger.segment_bytes", "1MiB", "--ledger.prepare_bytes", "1MiB", "--ledger.reserve_percent", "0")
        acknowledged = [bank.decided(number)["decision_id"] for number in range(5)]
        disk.fill(leave=0)
        refusals = 0
        for number in range(5, 3000):
            status, answer = bank.decide(number)
            if status == 200:
                acknowledged.append(answer["decision_id"])
            else:
                check(400 <= status < 600 and answer["detail"], f"{status} {answer}")
                refusals += 1
            if refusals == 10:
                break
        check(refusals == 10, "a disk that is full refused nothing")
        status, answer = bank.dana.http("POST", "/api/v1/models", {"name": "late", "owner": "dana", "purpose": "none"})
        check(status >= 400 or bank.dana.http("GET", "/api/v1/models/late")[0] == 200, f"half a model: {status} {answer}")
        bank.server.kill()
        disk.empty()
        bank.start()
        for decision in acknowledged:
            status, answer = bank.aud.http("GET", f"/api/v1/decisions/{decision}")
            check(status == 200, f"{decision} is lost: {answer}")
        bank.decided(1, request="after")
        bank.checkpoint()
        code, said = bank.verify()
        check(code == 0, said)


def refuses_changes_and_decides(bank, number):
    answer = bank.decided(number)
    check(answer["ledger"]["state"] == "durable", f"{answer}")
    status, refusal = bank.dana.http("POST", "/api/v1/models", {"name": f"m{number}", "owner": "dana", "purpose": "none"})
    check(status == 503 and "database" in refusal["detail"], f"a change without a database: {status} {refusal}")
    status, ready = bank.admin.http("GET", "/readyz")
    check("store" in json.dumps(ready), f"/readyz does not name the part: {status} {ready}")
    return ready


def test_with_the_database_gone_predictions_go_on():
    with Copy(start=False) as bank:
        kept = bank.folder / "store.kept"
        shutil.copy(bank.data / "store.db", kept)
        for part in bank.data.glob("store.db*"):
            part.unlink()
        bank.start()
        refuses_changes_and_decides(bank, 1)
        bank.server.stop()
        for part in bank.data.glob("store.db*"):
            part.unlink()
        shutil.copy(kept, bank.data / "store.db")
        bank.start()
        check(bank.admin.http("GET", "/readyz")[0] == 200, "not ready with the database back")
        bank.dana.cli("model", "create", "again", "--owner", "dana", "--purpose", "it is back")


def test_with_the_database_damaged_predictions_go_on():
    with Copy(start=False) as bank:
        for part in bank.data.glob("store.db-*"):
            part.unlink()
        (bank.data / "store.db").write_bytes(b"no database" * 1000)
        bank.start()
        refuses_changes_and_decides(bank, 1)


def test_with_the_database_locked_predictions_go_on():
    with Copy() as bank:
        locker = sqlite3.connect(bank.data / "store.db", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answer = bank.decided(1)
        check(answer["ledger"]["state"] == "durable" and time.monotonic() - began < 2, "a decision waited for the database")
        status, refusal = bank.dana.http("POST", "/api/v1/models", {"name": "locked", "owner": "dana", "purpose": "none"})
        check(status in (503, 504) and refusal["detail"], f"a change in a locked database: {status} {refusal}")
        locker.execute("ROLLBACK")
        bank.dana.cli("model", "create", "unlocked", "--owner", "dana", "--purpose", "none")


def test_a_clock_that_goes_back_is_said_and_loses_nothing():
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if not library:
        raise Skip("libfaketime is not on this machine")
    with Copy(start=False) as bank:
        kept = {}
        for offset in ("+0", "-2d", "+0"):
            bank.start(env={**os.environ, "LD_PRELOAD": str(library), "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"})
            for number in range(5):
                answer = bank.decided(number, request=f"at {offset} {len(kept)}")
                kept[answer["decision_id"]] = answer
            bank.checkpoint()
            log = bank.log()
            bank.server.stop()
            if offset == "-2d":
                contains(log, "clock")
        bank.start()
        check(len(kept) == 15, f"{len(kept)} decisions have an id of their own, not 15")
        for decision, answer in kept.items():
            check(bank.aud.http("GET", f"/api/v1/decisions/{decision}")[1]["record"]["probability"] == answer["probability"], decision)
        code, said = bank.verify()
        check(code == 0, said)


def comes_true(what, why):
    """Within ten seconds: forms are made and looked for by workers."""
    deadline = time.monotonic() + 10
    while not what():
        check(time.monotonic() < deadline, why)
        time.sleep(0.05)


def mapped_bytes(bank):
    return bank.metric("axiom_model_mapped_bytes")


def test_forms_are_found_again_and_damaged_ones_are_made_again():
    with Copy() as bank:
        probability = bank.decided(1)["probability"]
        comes_true(lambda: list((bank.data / "forms").glob("*.form")), "nothing was kept")
        bank.server.stop()
        bank.start()
        comes_true(lambda: mapped_bytes(bank) > 0, "what was kept is not used")
        bank.server.stop()
        for form in (bank.data / "forms").glob("*.form"):
            content = bytearray(form.read_bytes())
            content[len(content) // 2] ^= 1
            form.write_bytes(content)
        bank.start()
        check(bank.decided(1, request="after")["probability"] == probability, "another answer")
        check(mapped_bytes(bank) == 0, "a damaged form is used")
        bank.server.stop()
        bank.start()
        comes_true(lambda: mapped_bytes(bank) > 0, "a damaged form was not replaced")
        check(bank.decided(1, request="again")["probability"] == probability, "another answer")


def client(bank, number, go, answers):
    """Decides until the server says that it ends; keeps what was acknowledged, and what was broken off half way."""
    connection = http.client.HTTPConnection("127.0.0.1", bank.server.port, timeout=20)
    while not go.is_set():
        body = {"request_id": f"drain-{number}-{len(answers)}", "features": bank.features(len(answers))}
        try:
            connection.request("POST", "/api/v1/deployments/credit/decisions", json.dumps(body), {
                "Authorization": f"Bearer {bank.loans.token}", "Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except (ConnectionError, http.client.RemoteDisconnected, OSError):
            return
        if answer.status == 200:
            answers.append(json.loads(content)["decision_id"])
        if answer.getheader("Connection") == "close":
            return


def test_sigterm_lets_requests_in_flight_end():
    with Copy() as bank:
        go, answers = threading.Event(), [[] for _ in range(8)]
        threads = [threading.Thread(target=client, args=(bank, number, go, answers[number])) for number in range(8)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while sum(map(len, answers)) <= 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        bank.server.process.send_signal(signal.SIGTERM)
        code = bank.server.process.wait(timeout=20)
        for thread in threads:
            thread.join(timeout=20)
        check(code == 0, f"the server ended with {code}: {bank.log()[-500:]}")
        check(not any(thread.is_alive() for thread in threads), "a client waits for ever")
        made = [one for some in answers for one in some]
        check(len(made) > 20, f"only {len(made)} decisions were made before the end")
        bank.start()
        for decision in made:
            check(bank.aud.http("GET", f"/api/v1/decisions/{decision}")[0] == 200, f"{decision} is lost")


def test_an_older_program_on_a_newer_schema_refuses():
    with Copy(start=False) as bank:
        database = sqlite3.connect(bank.data / "store.db", isolation_level=None)
        table = next(name for name, in database.execute("SELECT name FROM sqlite_master WHERE type='table'") if "migration" in name)
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        newest = dict(zip(columns, database.execute(f"SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1").fetchone()))
        newest[columns[0]] += 1
        database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(columns))})", list(newest.values()))
        database.close()
        words = refused(AXIOM, "serve", bank.data, "--server.keys", bank.keys, "--listen", "127.0.0.1:0", says=["older"])
        contains(words, str(newest[columns[0]]))


def test_development_mode_listens_on_loopback_only():
    model = pathlib.Path(__file__).parent.parent / "model" / "small" / "xgboost.json"
    refused(AXIOM, "serve", "--model", f"m={model}", "--listen", f"0.0.0.0:{free_port()}", says=["loopback"])
    server = Server("--model", f"m={model}")
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/v2/models/m")
    metadata = json.loads(connection.getresponse().read())
    check(metadata["properties"]["governed"] in (False, "false"), f"not marked: {metadata}")
    connection.request("GET", "/metrics")
    contains(connection.getresponse().read().decode(), 'governed="false"')
    server.stop()


if __name__ == "__main__":
    run_suite(globals())
