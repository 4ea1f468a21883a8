"""Load and churn: decisions without pause while policies, deployments, kill switches and backups come and go.

usage: churn.py [MINUTES]

Fails when a decision is refused for another reason than the kill switch, when memory grows by more than a tenth
(and 32 MB) after the first fifth of the time, when file descriptors grow, or when the ledger does not verify.
"""
import json
import pathlib
import re
import shutil
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from harness import DEPLOYMENT, Copy, check  # noqa: E402

POLICY = json.loads((ROOT / "demo" / "policy.json").read_text())
DECIDERS = 4


class Decider(threading.Thread):
    def __init__(self, bank, number, end):
        super().__init__(daemon=True)
        self.bank, self.number, self.end, self.made, self.stopped, self.wrong = bank, number, end, 0, 0, []
        self.person = type(bank.loans)(bank, f"loans-{number}", bank.loans.token)

    def run(self):
        at = 0
        while not self.end.is_set():
            at += 1
            status, answer = self.bank.decide(at, request=f"{self.number}-{at}", person=self.person)
            if status == 200:
                self.made += 1
            elif status == 403 and "kill switch" in answer["detail"]:
                self.stopped += 1
                time.sleep(0.01)
            else:
                self.wrong.append((status, answer))
                return


def used(bank):
    """(MB of its own, open file descriptors); pages of mapped files, the index's above all, are the kernel's to drop."""
    folder = pathlib.Path(f"/proc/{bank.server.process.pid}")
    return int(re.search(r"RssAnon:\s+(\d+)", (folder / "status").read_text())[1]) / 1024, len(list((folder / "fd").iterdir()))


def churn(bank, round_number):
    """One of each change that a day may bring."""
    policy = {**POLICY, "approve_below": 0.30 + 0.01 * (round_number % 10)}
    bank.propose_and_approve(bank.dana, bank.ada, "policy", "propose", "credit-policy", "--change", json.dumps(policy))
    body = {**DEPLOYMENT, "policy": {"name": "credit-policy", "version": round_number + 2}, "record": ("durable", "queued")[round_number % 2]}
    bank.propose_and_approve(bank.dee, bank.ada, "deploy", "credit", "--change", json.dumps(body))
    if round_number % 5 == 4:
        bank.rob.cli("kill", "throw", "deployment:credit", "--reason", "churn")
        proposal = bank.rob.cli("kill", "release", "deployment:credit", "--reason", "churn")
        bank.people["ria"].approve(proposal["id"], "churn")
    if round_number % 10 == 9:
        bank.rob.cli("backup", bank.folder / "backup")
        shutil.rmtree(bank.folder / "backup")


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    with Copy() as bank:
        bank.hire("ria", ["risk_officer"], 2)
        kept, end = bank.checkpoint(), threading.Event()
        deciders = [Decider(bank, number, end) for number in range(DECIDERS)]
        for decider in deciders:
            decider.start()
        began, first, rounds = time.monotonic(), None, 0
        while time.monotonic() - began < 60 * minutes:
            churn(bank, rounds)
            rounds += 1
            check(not any(one.wrong for one in deciders), f"{[one.wrong for one in deciders]}")
            if first is None and time.monotonic() - began > 12 * minutes:
                first = used(bank)
            time.sleep(0.2)
        last = used(bank)
        end.set()
        for decider in deciders:
            decider.join(30)
        made, stopped = sum(one.made for one in deciders), sum(one.stopped for one in deciders)
        print(f"{minutes:g} minutes: {made} decisions, {stopped} stopped, {rounds} rounds of changes; "
              f"memory {first[0]:.1f} to {last[0]:.1f} MB, descriptors {first[1]} to {last[1]}", flush=True)
        check(last[0] < 1.1 * first[0] + 32 and last[1] <= first[1] + DECIDERS + 8, "memory or descriptors grow")
        bank.checkpoint()
        bank.server.stop()
        code, said = bank.verify("--since", kept)
        check(code == 0, said)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
