"""kill -9 at any instant: nothing that was acknowledged is lost, and the next start needs no repair.

usage: kill_nine.py [COUNT]     so many kills, 25 unless told; make soak asks for 1,000
"""
import http.client
import json
import random
import sys
import threading
import time

from harness import AXIOM, ROOT, Copy, check, run, run_suite

COUNT = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 25
DECIDERS = 4


class Decider(threading.Thread):
    """Decides until the server is gone; knows which answers it got and which request was broken off."""

    def __init__(self, bank, name):
        super().__init__(daemon=True)
        self.bank, self.name_of, self.acknowledged, self.asked, self.refused = bank, name, {}, [], None

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.bank.server.port, timeout=10)
        head = {"Authorization": f"Bearer {self.bank.loans.token}", "Content-Type": "application/json"}
        for number in range(100_000):
            request = f"{self.name_of}-{number}"
            body = {"request_id": request, "entity_id": f"applicant-{number % 50}", "features": self.bank.features(number)}
            self.asked.append((request, number))
            try:
                connection.request("POST", "/api/v1/deployments/credit/decisions", json.dumps(body), head)
                answer = connection.getresponse()
                content = json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError):
                return
            if answer.status != 200:
                self.refused = f"{request}: {answer.status} {content}"
                return
            self.acknowledged[request] = content


class Changer(threading.Thread):
    """Makes models and has reason maps approved until the server is gone."""

    def __init__(self, bank, name):
        super().__init__(daemon=True)
        self.bank, self.name_of, self.models, self.approved, self.versions = bank, name, [], [], []

    def cli(self, person, *words):
        code, out, _ = run(AXIOM, *words, "--json", "--url", self.bank.server.url, "--token-file", person.token_file)
        return json.loads(out) if code == 0 else None

    def run(self):
        bank = self.bank
        for number in range(100_000):
            model = f"m-{self.name_of}-{number}"
            if not self.cli(bank.dana, "model", "create", model, "--owner", "dana", "--purpose", "to be killed"):
                return
            self.models.append(model)
            version = self.cli(bank.dana, "model", "register", model, "--file", ROOT / "tests" / "model" / "small" / "xgboost.ubj")
            if not version:
                return
            self.versions.append((model, version["digest"]))
            proposal = self.cli(bank.dana, "reasons", "propose", "credit-reasons", "--change", f"@{ROOT / 'demo' / 'reasons.json'}")
            if not proposal:
                return
            done = self.cli(bank.ada, "approve", proposal["id"], "--key", bank.ada.key, "--comment", self.name_of)
            if not done:
                return
            self.approved.append(proposal["id"])


def look(bank, deciders, changer):
    """After a kill: everything that was acknowledged is there, as it was answered."""
    for decider in deciders:
        check(not decider.refused, decider.refused)
        for request, answer in random.sample(sorted(decider.acknowledged.items()), min(5, len(decider.acknowledged))):
            status, shown = bank.aud.http("GET", f"/api/v1/decisions/{answer['decision_id']}")
            check(status == 200, f"{request} is lost: {status} {shown}")
            check(shown["record"]["probability"] == answer["probability"], f"{request} is another one: {shown} {answer}")
        last = max(decider.acknowledged.items(), key=lambda one: int(one[0].rsplit("-", 1)[1]), default=None)
        if last:
            check(bank.aud.http("GET", f"/api/v1/decisions/{last[1]['decision_id']}")[0] == 200, f"{last[0]}, the last one, is lost")
        for request, number in decider.asked[-1:]:  # broken off: decided already or now, and once
            first = bank.decided(number, request=request)
            again = bank.decided(number, request=request)
            check(first["decision_id"] == again["decision_id"], f"{request} was decided twice")
            known = decider.acknowledged.get(request)
            check(not known or known["decision_id"] == first["decision_id"], f"{request} was decided anew")
    for model in changer.models:
        check(bank.dana.http("GET", f"/api/v1/models/{model}")[0] == 200, f"model {model} is lost")
    for model, digest in changer.versions:
        status, version = bank.dana.http("GET", f"/api/v1/models/{model}/versions/1")
        check(status == 200 and version["digest"] == digest, f"version of {model} is lost: {status} {version}")
    for proposal in changer.approved:
        status, shown = bank.dana.http("GET", f"/api/v1/proposals/{proposal}")
        check(status == 200 and shown["state"] == "applied" and shown["approvals"], f"approval {proposal} is lost: {shown}")


def test_nothing_acknowledged_is_lost():
    chance = random.Random(20261124)
    total, changes, everything = 0, 0, {}
    with Copy() as bank:
        kept = bank.checkpoint()
        for kill in range(COUNT):
            deciders = [Decider(bank, f"k{kill}-{number}") for number in range(DECIDERS)]
            changer = Changer(bank, f"k{kill}")
            for thread in (*deciders, changer):
                thread.start()
            time.sleep(chance.choice((0.01, 0.05, 0.15, 0.3)) * (0.5 + chance.random()))
            bank.server.kill()
            for thread in (*deciders, changer):
                thread.join(timeout=30)
                check(not thread.is_alive(), "a client waits for ever")
            bank.start()
            look(bank, deciders, changer)
            total += sum(len(decider.acknowledged) for decider in deciders)
            changes += len(changer.models) + len(changer.versions) + len(changer.approved)
            for decider in deciders:
                everything.update((one["decision_id"], request) for request, one in decider.acknowledged.items())
            if kill % 10 == 9 or kill + 1 == COUNT:
                since, kept = kept, bank.checkpoint()
                code, said = bank.verify("--since", since)
                check(code == 0, f"after {kill + 1} kills: {said}")
        check(len(everything) == total, f"{total} answers have {len(everything)} decision ids")
        check(total > 20 * COUNT / 25 and changes > COUNT / 5, f"only {total} decisions and {changes} changes were made")
        for decision, request in everything.items():
            check(bank.aud.http("GET", f"/api/v1/decisions/{decision}")[0] == 200, f"{request} is lost in the end")
        bank.server.stop()
        code, said = bank.verify("--since", kept)
        check(code == 0, said)
        print(f"{COUNT} kills: {total} decisions and {changes} changes acknowledged, all there", flush=True)


if __name__ == "__main__":
    run_suite(globals())
