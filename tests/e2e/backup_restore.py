"""A backup under load comes back whole, proved against a checkpoint kept elsewhere; a damaged one does not."""
import json
import shutil
import threading

from harness import AXIOM, Copy, Server, check, contains, refused, run, run_suite
from mlflow_webhooks import OPEN, SECRET, Receiver, verify


def backed_up(bank, name="backup"):
    """A backup made while decisions go on; (its folder, checkpoint kept elsewhere, what was decided before it)."""
    before = [bank.decided(number) for number in range(30)]
    kept = bank.checkpoint()
    end, during = threading.Event(), []

    def load():
        connection = type(bank.loans)(bank, "loans-too", bank.loans.token)
        number = 100
        while not end.is_set():
            during.append(bank.decided(number, person=connection))
            number += 1

    thread = threading.Thread(target=load)
    thread.start()
    folder = bank.folder / name
    bank.rob.cli("backup", folder)
    end.set()
    thread.join()
    return folder, kept, before, during


def restore(bank, folder, kept, to):
    return run(AXIOM, "restore", folder, "--to", to, "--keys", bank.keys, "--checkpoint", kept)


def test_r95_a_backup_under_load_comes_back_and_decides():
    with Copy() as bank:
        folder, kept, before, _ = backed_up(bank)
        versions = bank.dana.cli("model", "show", "credit")["versions"]
        bank.server.stop()
        again = bank.folder / "again"
        code, out, err = restore(bank, folder, kept, again)
        check(code == 0, err)
        bank.data = again
        bank.start()
        check(bank.aud.http("GET", "/readyz")[0] == 200, "a restored server is not ready")
        for answer in before:
            status, shown = bank.aud.http("GET", f"/api/v1/decisions/{answer['decision_id']}")
            check(status == 200 and shown["record"]["probability"] == answer["probability"], f"{status} {shown}")
        check(bank.decide(3)[1]["decision_id"] == before[3]["decision_id"], "a request id is forgotten")
        check(bank.dana.cli("model", "show", "credit")["versions"] == versions, "versions are lost")
        bank.decided(500)
        replay = bank.aud.cli("audit", "replay", before[0]["decision_id"])
        check(replay["same"], f"{replay}")
        bank.checkpoint()
        bank.server.stop()
        code, said = bank.verify("--since", kept)
        check(code == 0, said)


def test_r95_sealed_secrets_come_back_and_no_backup_opens_them():
    with Copy(options=OPEN) as bank, Receiver() as receiver:
        path = "/api/2.0/mlflow/webhooks"
        status, made = bank.dana.http("POST", path, {"name": "w", "url": receiver.url, "secret": SECRET, "events": [
            {"entity": "REGISTERED_MODEL", "action": "CREATED"}]})
        check(status == 200, f"{made}")
        folder, kept, _, _ = backed_up(bank)
        for one in folder.rglob("*"):
            check(not one.is_file() or (SECRET.encode() not in one.read_bytes() and one.name != "webhook.key"), f"{one} opens the secret")
        bank.server.stop()
        again = bank.folder / "again"
        code, _, err = restore(bank, folder, kept, again)
        check(code == 0, err)
        bank.data = again
        bank.start(*OPEN)
        status, tried = bank.dana.http("POST", f"{path}/{made['webhook']['webhook_id']}/test", {})
        check(status == 200 and tried["result"]["success"], f"{tried}")
        verify(*receiver.got[0])


def test_r95_an_old_backup_is_found_by_the_checkpoint_kept_elsewhere():
    with Copy() as bank:
        folder, _, _, _ = backed_up(bank)
        for number in range(600, 610):
            bank.decided(number)
        later = bank.checkpoint()
        bank.server.stop()
        code, out, err = restore(bank, folder, later, bank.folder / "again")
        check(code == 1 and "checkpoint" in err, f"an old backup was taken for a new one: {out}{err}")
        check(not (bank.folder / "again").exists(), "something is left of a restore that was refused")


def test_r100_an_erased_payload_does_not_come_back():
    with Copy() as bank:
        folder, kept, before, _ = backed_up(bank)
        proposal = bank.pia.cli("erase", "applicant-1", "--reason", "asked for it")
        bank.pam.approve(proposal["id"], "identity checked")
        bank.server.stop()
        bank.data = bank.folder / "again"
        code, out, err = restore(bank, folder, kept, bank.data)
        check(code == 0, err)
        bank.start()
        shown = bank.aud.http("GET", f"/api/v1/decisions/{before[1]['decision_id']}")[1]
        check(shown["record"] is None, f"the backup brought back what was erased: {shown}")
        check(bank.aud.http("GET", f"/api/v1/decisions/{before[2]['decision_id']}")[1]["record"], "another payload is lost")


def test_a_backup_of_a_server_that_is_refused_leaves_nothing():
    with Copy() as bank:
        for person, words in ((bank.dana, "may not"), (bank.loans, "may not")):
            status, answer = person.http("POST", "/api/v1/backups", {"folder": str(bank.folder / "no")})
            check(status == 403, f"{person.name} made a backup: {status} {answer}")
        status, answer = bank.rob.http("POST", "/api/v1/backups", {"folder": "relative"})
        check(status == 400 and "absolute" in answer["detail"], f"{status} {answer}")
        bank.rob.cli("backup", bank.folder / "one")
        status, answer = bank.rob.http("POST", "/api/v1/backups", {"folder": str(bank.folder / "one")})
        check(status == 409, f"over another backup: {status} {answer}")
        check(not (bank.folder / "no").exists(), "a refused backup left a folder")


def test_a_damaged_backup_is_refused():
    with Copy() as bank:
        folder, kept, _, _ = backed_up(bank)
        bank.server.stop()
        damaged = bank.folder / "damaged"
        for choose in (lambda: damaged / "store.db", lambda: next((damaged / "ledger" / "log").glob("*[0-9a-f]")),
                       lambda: next(one for one in sorted((damaged / "blobs").rglob("*")) if one.is_file())):
            shutil.rmtree(damaged, ignore_errors=True)
            shutil.copytree(folder, damaged)
            victim = choose()
            content = bytearray(victim.read_bytes())
            content[min(len(content) // 2, 300)] ^= 1
            victim.write_bytes(bytes(content[:len(content) // 2]) if victim.name == "store.db" else bytes(content))
            refused(AXIOM, "restore", damaged, "--to", bank.folder / "again", "--keys", bank.keys, "--checkpoint", kept)
            check(not (bank.folder / "again").exists(), f"{victim} damaged: something is left")


if __name__ == "__main__":
    run_suite(globals())
