"""The whole governed server on PostgreSQL: the main job, failover, a second program, and backups.

A real PostgreSQL of the distribution's package runs on a socket in a folder of its own (tests/postgres_server). Nothing but store.url
differs from what the other suites do on SQLite.
"""
import contextlib
import itertools
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from harness import AXIOM, ROOT, SCRATCH, Bank, Outside, Postgres, Server, Skip, check, contains, deploy_all, free_port, refused, run, run_suite


def test_the_main_job():
    """Register, validate, approve, deploy, decide, prove; and the same after a restart."""
    with Postgres() as server, Outside(server) as bank:
        check(not (bank.data / "store.db").exists(), "there is a store.db beside PostgreSQL")
        check(int(server.sql(bank.url, "select count(*) from approvals")) >= 2, "the approvals are not in the database")
        answers = [bank.decided(number) for number in range(30)]
        kept = bank.checkpoint()
        versions = bank.dana.cli("model", "show", "credit")["versions"]
        bank.server.stop()
        bank.start()
        check(bank.dana.cli("model", "show", "credit")["versions"] == versions, "versions are lost")
        check(bank.decide(3)[1]["decision_id"] == answers[3]["decision_id"], "a request id is forgotten")
        check(bank.aud.cli("audit", "replay", answers[0]["decision_id"])["same"], "a decision is not the same again")
        refusal = bank.dana.cli("model", "create", "credit", "--owner", "dana", "--purpose", "twice", fails=True)
        contains(refusal, "credit")
        check(server.sql(bank.url, "select count(*) from outbox where length(fact) > 0") == "0", "facts wait in the outbox")
        bank.checkpoint()
        bank.server.stop()
        code, said = bank.verify("--since", kept)
        check(code == 0, said)


def test_changes_come_back_with_the_database():
    """The database dies under load: decisions go on, changes are refused whole, and work again without a restart."""
    with Postgres() as server, Outside(server) as bank:
        bank.dana.cli("model", "create", "before", "--owner", "dana", "--purpose", "x")
        server.tell("stop", "stopped")
        check(bank.decide(1)[0] == 200, "no decision without the database")
        status, answer = bank.dana.http("POST", "/api/v1/models", {"name": "meanwhile", "owner": "dana", "purpose": "x"})
        check(status == 503, f"a change without a database: {status} {answer}")
        check(bank.rob.cli("kill", "throw", "client:nobody", "--reason", "no database needed"), "the kill switch needs the database")
        server.tell("start", "ready")
        for name in ("after", "meanwhile"):
            bank.dana.cli("model", "create", name, "--owner", "dana", "--purpose", "x")
        check(bank.decide(2)[0] == 200, "no decision afterwards")
        bank.checkpoint()
        bank.server.stop()
        code, said = bank.verify()
        check(code == 0, said)


def test_another_host_takes_over():
    """The primary dies, its standby is promoted: the same server goes on there, with all that was acknowledged."""
    with Postgres() as first, Postgres() as second, Outside(first, deployed=False) as bank:
        bank.enroll("admin")
        bank.hire("dana", ["developer"], 1)
        second.tell(f"follow {first.folder}", "ready")
        first.sql(bank.url, "alter system set synchronous_standby_names = '*'")
        first.sql(bank.url, "select pg_reload_conf()")
        bank.server.stop()
        both = bank.url.replace(str(first.folder), f"{second.folder},{first.folder}") + "&target_session_attrs=read-write"
        bank.start("--store.url", both)  # the first of them is a standby: it is passed over
        made = [f"m-{number}" for number in range(10)]
        for name in made:
            bank.dana.cli("model", "create", name, "--owner", "dana", "--purpose", "x")
        first.tell("stop", "stopped")
        contains(bank.dana.cli("model", "create", "too-late", "--owner", "dana", "--purpose", "x", fails=True), "database")
        second.tell("promote", "ready")
        for _ in range(100):  # a promotion is not done when it is begun
            code, _, err = run(AXIOM, "model", "create", "after", "--owner", "dana", "--purpose", "x", "--json", "--url", bank.server.url,
                               "--token-file", bank.dana.token_file)
            if code == 0:
                break
            time.sleep(0.1)
        check(code == 0, f"nobody takes writes: {err}")
        there = second.sql(bank.url.replace(str(first.folder), str(second.folder)), "select name from models").split()
        check(set(there) == {*made, "after"}, f"{there}")
        bank.server.stop()
        code, said = bank.verify()
        check(code == 0, said)


def test_nothing_acknowledged_is_lost_when_either_is_killed():
    """kill -9 of Axiom, and a power cut of the database, while models are made: what was answered is there."""
    with Postgres() as server, Outside(server, deployed=False) as bank:
        bank.enroll("admin")
        bank.hire("dana", ["developer"], 1)
        made = []

        def make(stem):
            for number in range(10_000):
                name = f"{stem}-{number}"
                code, _, _ = run(AXIOM, "model", "create", name, "--owner", "dana", "--purpose", "x", "--json", "--url", bank.server.url,
                                 "--token-file", bank.dana.token_file)
                if code != 0:
                    return
                made.append(name)

        for number in range(6):
            threads = [threading.Thread(target=make, args=(f"m{number}-{one}",)) for one in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.4 + 0.1 * number)
            if number % 2:
                server.tell("stop", "stopped")
            else:
                bank.server.kill()
            for thread in threads:
                thread.join()
            if number % 2:
                server.tell("start", "ready")
            else:
                bank.start()
        there = set(server.sql(bank.url, "select name from models").split())
        check(len(made) > 10 and set(made) <= there, f"{len(made)} made, lost: {set(made) - there}")
        check(len(there) <= len(made) + 18, "more is there than was begun")
        bank.server.stop()
        code, said = bank.verify()
        check(code == 0, said)


def test_a_database_is_not_taken_twice():
    with Postgres() as server, Outside(server, deployed=False) as bank:
        refused(AXIOM, "init", bank.folder / "second", "--store.url", bank.url, says=("users",))
        check(not (bank.folder / "second").exists(), "something is left of an init that was refused")
        bank.server.stop()
        empty = server.database()
        bank.start("--store.url", empty)  # not this directory's database: decisions only
        status, answer = bank.admin.http("GET", "/readyz")
        contains(json.dumps(answer), "is empty, and this directory has served before")
        bank.server.stop()
        check(server.sql(empty, "select count(*) from pg_tables where schemaname = 'public'") == "0", "the wrong database was written to")
        server.sql(bank.url, "insert into schema_migrations values (9999, 'x', 'x', 0)")
        refused(AXIOM, "serve", bank.data, "--server.keys", bank.keys, "--listen", "127.0.0.1:0", says=("older than the database",))


def test_r95_a_backup_under_load_comes_back_into_an_empty_database():
    with Postgres() as server, Outside(server) as bank:
        before = [bank.decided(number) for number in range(10)]
        kept = bank.checkpoint()
        end = threading.Event()

        def load():
            connection = type(bank.loans)(bank, "loans-too", bank.loans.token)
            for number in itertools.count(100):
                if end.is_set():
                    return
                bank.decided(number, person=connection)

        thread = threading.Thread(target=load)
        thread.start()
        folder = bank.folder / "backup"
        bank.rob.cli("backup", folder)
        end.set()
        thread.join()
        check((folder / "store.dump").exists() and not (folder / "store.db").exists(), "the copy is not pg_dump's")
        bank.dana.cli("model", "create", "later", "--owner", "dana", "--purpose", "after the backup")
        bank.server.stop()
        again, words = bank.folder / "again", ("--keys", bank.keys, "--checkpoint", kept)
        refused(AXIOM, "restore", folder, "--to", again, *words, says=("--store.url",))
        refused(AXIOM, "restore", folder, "--to", again, *words, "--store.url", bank.url, says=("tables already",))
        check(not again.exists(), "something is left of a restore that was refused")
        check(server.sql(bank.url, "select count(*) from models where name = 'later'") == "1", "a refused restore wrote")
        url = server.database()
        code, _, err = run(AXIOM, "restore", folder, "--to", again, *words, "--store.url", url)
        check(code == 0, err)
        bank.data, bank.url = again, url
        bank.start()
        for answer in before:
            status, shown = bank.aud.http("GET", f"/api/v1/decisions/{answer['decision_id']}")
            check(status == 200 and shown["record"]["probability"] == answer["probability"], f"{status} {shown}")
        contains(bank.dana.cli("model", "show", "later", fails=True), "later")  # that one came after it
        bank.dana.cli("model", "create", "next", "--owner", "dana", "--purpose", "x")
        bank.decided(500)
        bank.checkpoint()
        bank.server.stop()
        code, said = bank.verify("--since", kept)
        check(code == 0, said)


def test_tls_by_the_url():
    """sslmode and sslrootcert are libpq's: the right certificate is needed, and enough."""
    if not shutil.which("openssl"):
        raise Skip("there is no openssl to make a certificate with")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("right", "wrong"):
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt", check=True)
        folder.chmod(0o755)
        key = folder / "right.key"
        key.chmod(0o640)  # root's, readable by the server's group: as PostgreSQL asks
        if run("id", "-u")[1].strip() == "0":
            shutil.chown(key, "root", "postgres")
        port = free_port()
        server = stack.enter_context(Postgres("-c", "listen_addresses=localhost", "-c", f"port={port}", "-c", "ssl=on", "-c",
                                              f"ssl_cert_file={folder / 'right.crt'}", "-c", f"ssl_key_file={key}"))
        address = server.database(f"localhost:{port}")
        made = folder / "data"
        refused(AXIOM, "init", made, "--store.url", f"{address}?sslmode=verify-full&sslrootcert={folder / 'wrong.crt'}", says=("certificate",))
        check(not made.exists(), "something is left of an init that was refused")
        url = f"{address}?sslmode=verify-full&sslrootcert={folder / 'right.crt'}"
        code, _, err = run(AXIOM, "init", made, "--store.url", url)
        check(code == 0, err)
        served = Server(made)
        used = server.sql(f"postgresql://postgres@localhost:{port}/postgres?sslmode=require",
                          "select count(*) from pg_stat_ssl s join pg_stat_activity a using (pid) where a.application_name = 'axiom' and not s.ssl")
        check(used == "0", f"{used} connections without TLS")
        served.stop()


if __name__ == "__main__":
    run_suite(globals())
