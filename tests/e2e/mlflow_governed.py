"""From MLflow's log_model to a governed decision: nothing that a data scientist logs is served before others said so.

A version is logged and registered with the real client on a governed server with `tracking.promotion: enforce`; production is
refused; it is validated on a dataset of the house, approved by a second person, deployed by a third. Then MLflow's own calls go
through, and what is asked of the deployment, by MLflow's protocol or by Axiom's, leaves a record that is read, proved and replayed.
"""
import csv
import json
import os
import pathlib
import subprocess
import tempfile

from harness import ROOT, VERIFY, check, contains, deployed, run, run_suite
from mlflow_client import python

FLOWS = ROOT / "tests" / "e2e" / "mlflow_governed_flows.py"
MODEL, DEPLOYMENT = "scoring", "retail"
ENFORCE = ("--tracking.promotion", "enforce")
FEATURES = ["credit_amount", "duration_in_month", "installment_rate_in_percentage_of_disposable_income", "present_residence_since",
            "number_of_existing_credits_at_this_bank"]
PLAN = {"tests": {"auc": {"min": 0.5}, "psi": {"max": 0.25}, "adverse_impact_ratio": {"min": 0.5}}, "cutoff": 0.5, "seed": 11}
BODY = {"champion": {"model": MODEL, "version": 1}, "policy": {"name": "retail-policy", "version": 1}, "record": "durable", "tier": 2}
ROWS = list(csv.DictReader((ROOT / "demo" / "german_credit.csv").open()))


def flow(bank, person, name):
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([str(python(3)), str(FLOWS), name, str(bank.folder)], capture_output=True, text=True, timeout=300, cwd=home,
                              env={**os.environ, "HOME": home, "MLFLOW_TRACKING_URI": bank.server.url, "MLFLOW_TRACKING_TOKEN": person.token})
    check(done.returncode == 0, f"{name}: {done.stdout[-500:]}{done.stderr[-3000:]}\n{bank.log()[-1000:]}")


def features(number):
    return {name: float(ROWS[number][name]) for name in FEATURES}


def invoke(bank, person, name, numbers):
    """MLflow's scoring request about applicants; (status, answer, ids of the decisions)."""
    import requests
    rows = [list(features(number).values()) for number in numbers]
    answer = requests.post(f"{bank.server.url}/models/{name}/invocations", json={"dataframe_split": {"columns": FEATURES, "data": rows}},
                           headers={"Authorization": f"Bearer {person.token}", "axiom-entity-id": f"applicant-{numbers[0]}"})
    return answer.status_code, answer.text, [one.strip() for one in answer.headers.get("axiom-decision-id", "").split(",") if one]


def nothing_is_served(bank):
    """Before it is deployed there is no way to it for a client, and none to load it."""
    for person in (bank.loans, bank.dana):
        status, said, _ = invoke(bank, person, DEPLOYMENT, [1])
        check(status == 404, f"{status} {said}")
    status, said, _ = invoke(bank, bank.loans, MODEL, [1])
    check(status == 404, f"{status} {said}")
    for person in (bank.dana, bank.dee, bank.admin):
        status, said = person.http("POST", f"/v2/repository/models/{MODEL}/load", {}, text=True)
        check(status >= 400, f"{person.name} loaded it past the gate: {status} {said}")
    bank.dee.cli("deploy", DEPLOYMENT, "--change", json.dumps({**BODY, "policy": {"name": "credit-policy", "version": 1}}), fails=True)


def validate(bank):
    """By somebody else, on rows of the house: the version itself does not say which."""
    said = bank.vic.cli("validate", "begin", MODEL, "--version", 1, "--plan", json.dumps(PLAN), fails=True)
    contains(said, "dataset")
    said = bank.vic.cli("validate", "begin", MODEL, "--version", 1, "--plan", json.dumps({**PLAN, "dataset": "none/1"}), fails=True)
    contains(said, "none")
    plan = json.dumps({**PLAN, "dataset": "german"})
    bank.dana.cli("validate", "begin", MODEL, "--version", 1, "--plan", plan, fails=True)
    begun = bank.vic.cli("validate", "begin", MODEL, "--version", 1, "--plan", plan, "--soundness", "five plausible characteristics")
    check(begun["plan"]["dataset"] == "german/1", f"{begun['plan']}")
    done = bank.vic.cli("validate", "run", begun["id"])
    check({one["test"] for one in done["results"]} == set(PLAN["tests"]), f"{done['results']}")
    auc = next(one for one in done["results"] if one["test"] == "auc")
    check(auc["verdict"] == "pass" and auc["n"] == 200 and 0.55 < auc["value"] < 0.85, f"{auc}")
    for finding in done["findings"]:
        bank.vic.cli("validate", "close", finding["id"], "--evidence", "seen: few rows of that group")
    bank.vic.cli("validate", "conclude", begun["id"], "--conclusion", "passed", "--comment", "fit for its purpose")


def approve_and_deploy(bank):
    proposal = bank.dana.cli("propose", "model_version", f"{MODEL}/1", "--change", '{"state":"approved"}')
    contains(bank.dana.approve(proposal["id"], fails=True), "dana")
    contains(bank.vic.approve(proposal["id"], fails=True), "vic")
    check(bank.ada.approve(proposal["id"], "validated by vic")["state"] == "applied", "the approval took no effect")
    reasons = json.loads((ROOT / "demo" / "reasons.json").read_text())
    policy = {**json.loads((ROOT / "demo" / "policy.json").read_text()), "reason_map": "retail-reasons", "explanation": "path_dependent"}
    bank.propose_and_approve(bank.dana, bank.ada, "reasons", "propose", "retail-reasons", "--change", json.dumps(reasons))
    bank.propose_and_approve(bank.dana, bank.ada, "policy", "propose", "retail-policy", "--change", json.dumps(policy))
    bank.propose_and_approve(bank.dee, bank.ada, "deploy", DEPLOYMENT, "--change", json.dumps(BODY))


def stands(bank, decision, want):
    """The record of one decision: read, proved against the ledger by another program, replayed bit for bit."""
    status, shown = bank.aud.http("GET", f"/api/v1/decisions/{decision}")
    check(status == 200 and shown["record"], f"{status} {shown}")
    record = shown["record"]
    check(record["deployment"] == DEPLOYMENT, f"{record}")
    check(MODEL in json.dumps(record["model"]), f"{record}")
    bank.checkpoint()
    proof = bank.folder / f"{decision}.tlog-proof"
    proof.write_text(bank.aud.http("GET", f"/api/v1/decisions/{decision}/proof", text=True)[1])
    for leaf, code in ((shown["leaf_hash"], 0), ("00" * 32, 1)):
        got = run(VERIFY, "proof", proof, "--vkey", bank.vkey, "--leaf-hash", leaf)
        check(got[0] == code, f"{got}")
    replay = bank.aud.cli("audit", "replay", decision)
    check(replay["same"] and replay["margin"]["recorded"] == replay["margin"]["again"], f"{replay}")
    if want is not None:
        check(abs(record["probability"] - want) < 1e-6, f"{record['probability']} is not what MLflow predicts, {want}")


def decide(bank):
    """The same rows by MLflow's protocol and by Axiom's: the same numbers, which are MLflow's own, and a record each."""
    predictions = json.loads((bank.folder / "predictions.json").read_text())
    status, said, ids = invoke(bank, bank.loans, DEPLOYMENT, [3, 4, 5])
    check(status == 200 and len(ids) == 3, f"{status} {said} {ids}")
    given = json.loads(said)["predictions"]
    check(len(given) == 3 and all(abs(one - predictions[number]) < 1e-6 for one, number in zip(given, (3, 4, 5))), f"{given} {predictions[3:6]}")
    for decision, number in zip(ids, (3, 4, 5)):
        stands(bank, decision, predictions[number])
    outcomes = set()
    for number in range(20):
        body = {"request_id": f"r-{number}", "entity_id": f"applicant-{number}", "features": features(number)}
        status, answer = bank.loans.http("POST", f"/api/v1/deployments/{DEPLOYMENT}/decisions", body)
        check(status == 200, f"{status} {answer}")
        check(abs(answer["probability"] - predictions[number]) < 1e-6, f"{answer} {predictions[number]}")
        outcomes.add(answer["outcome"])
        if answer["outcome"] == "decline":
            check(answer["reasons"] and all(one["code"] for one in answer["reasons"]), f"{answer}")
        if number % 7 == 0:
            stands(bank, answer["decision_id"], predictions[number])
    check(len(outcomes) > 1, f"{outcomes}")
    status, said, _ = invoke(bank, bank.loans, MODEL, [1])
    check(status in (403, 404), f"a client asked the version behind the deployment's back: {status} {said}")


def in_the_ledger(bank):
    """Every step of the way is a fact, by whom it was done, and the ledger holds."""
    size, facts = int(bank.checkpoint().read_text().splitlines()[1]), []
    while len(facts) < size:
        facts += bank.aud.http("GET", f"/api/v1/ledger/facts?from={len(facts)}")[1]["facts"]
    seen = {(one["fact"]["kind"], one["fact"].get("object"), one["fact"]["actor"]["id"])
            for one in facts if "actor" in one["fact"]}
    for one in (("model_version", f"{MODEL}/1", "dana"), ("state_change", f"{MODEL}/1 in_validation", "vic"),
                ("state_change", f"{MODEL}/1 validated", "vic"), ("state_change", f"{MODEL}/1 approved", "ada")):
        check(one in seen, f"{one} is no fact: {sorted(str(fact) for fact in seen if MODEL in str(fact))}")
    code, said = bank.verify()
    check(code == 0, said)


def test_a_logged_model_becomes_a_governed_decision():
    with deployed(*ENFORCE) as bank:
        flow(bank, bank.dana, "register")
        inventory = bank.dana.http("GET", f"/api/v1/models/{MODEL}")[1]["versions"][0]
        check(inventory["state"] == "registered" and inventory["format"].startswith("xgboost"), f"{inventory}")
        nothing_is_served(bank)
        validate(bank)
        nothing_is_served(bank)
        approve_and_deploy(bank)
        flow(bank, bank.dana, "promote")
        decide(bank)
        flow(bank, bank.dana, "another")
        bank.server.kill()
        bank.start(*ENFORCE)
        status, said, ids = invoke(bank, bank.loans, DEPLOYMENT, [7])
        check(status == 200, f"{status} {said}")
        stands(bank, ids[0], json.loads((bank.folder / "predictions.json").read_text())[7])
        in_the_ledger(bank)


if __name__ == "__main__":
    run_suite(globals())
