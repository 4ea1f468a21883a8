"""The client's half of mlflow_governed.py, in MLflow's own environment. usage: mlflow_governed_flows.py NAME FOLDER"""
import json
import os
import pathlib
import sys

from mlflow_half import check, refused  # first: it makes the client quiet
import mlflow
import pandas
import requests
from mlflow import MlflowClient
from mlflow.models import infer_signature

URL = os.environ["MLFLOW_TRACKING_URI"]
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = pathlib.Path(sys.argv[2])
MODEL = "scoring"
FEATURES = ["credit_amount", "duration_in_month", "installment_rate_in_percentage_of_disposable_income", "present_residence_since",
            "number_of_existing_credits_at_this_bank"]  # an order of their own, and not all that the dataset has
client = MlflowClient()


def table():
    rows = pandas.read_csv(ROOT / "demo" / "german_credit.csv")
    return rows[FEATURES].astype(float), (rows["creditability"] == "bad").astype(int)


def register():
    """What a data scientist does anywhere: train, log, register; and then tries to put it into production."""
    import xgboost
    answer = requests.get(f"{URL}/api/v1/datasets/german/versions/1/rows?part=train",
                          headers={"Authorization": f"Bearer {os.environ['MLFLOW_TRACKING_TOKEN']}"})
    check(answer.status_code == 200, answer.text)
    features, labels = table()
    train = answer.json()["rows"]
    mlflow.set_experiment("retail credit")
    mlflow.xgboost.autolog(log_models=False)
    with mlflow.start_run() as run:
        model = xgboost.XGBClassifier(n_estimators=60, max_depth=2, learning_rate=0.1).fit(features.loc[train], labels.loc[train])
        info = mlflow.xgboost.log_model(model.get_booster(), name="model", registered_model_name=MODEL, input_example=features.loc[train][:5],
                                        signature=infer_signature(features, model.predict_proba(features)[:, 1]))
    check(client.get_run(run.info.run_id).data.params["max_depth"] == "2", "parameters are not there")
    mlflow.pyfunc.load_model(info.model_uri)
    version = client.get_model_version(MODEL, "1")
    check(version.run_id == run.info.run_id and version.status == "READY", f"{version}")
    said = [refused("PERMISSION_DENIED", client.set_registered_model_alias, MODEL, alias, "1") for alias in ("production", "champion")]
    said.append(refused("PERMISSION_DENIED", client.transition_model_version_stage, MODEL, "1", "Production"))
    for words in said:
        check(f"{MODEL}/1" in words and "not approved" in words, words)
    client.set_registered_model_alias(MODEL, "candidate", "1")  # what is not production is theirs
    client.transition_model_version_stage(MODEL, "1", "Staging")
    check(client.get_model_version_by_alias(MODEL, "candidate").version == "1", "the other alias")
    check("production" not in client.get_registered_model(MODEL).aliases, "it is in production")
    (FOLDER / "refused.json").write_text(json.dumps({"said": said, "run": run.info.run_id}))


def promote():
    """After the approval: the same calls go through, and what is loaded by the alias is that version."""
    client.set_registered_model_alias(MODEL, "production", "1")
    moved = client.transition_model_version_stage(MODEL, "1", "Production")
    check(moved.current_stage == "Production", f"{moved}")
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@production")
    features, _ = table()
    predictions = [float(one) for one in model.predict(features[:40])]
    (FOLDER / "predictions.json").write_text(json.dumps(predictions))
    for call in (lambda: client.delete_registered_model(MODEL), lambda: client.delete_model_version(MODEL, "1"),
                 lambda: client.rename_registered_model(MODEL, "other")):
        call.__name__ = "taking away what was approved"
        refused("PERMISSION_DENIED", call)


def another():
    """A second version is unvalidated again: neither name nor alias move to it."""
    import xgboost
    features, labels = table()
    with mlflow.start_run():
        booster = xgboost.train({"objective": "binary:logistic", "max_depth": 1}, xgboost.DMatrix(features, labels), 3)
        mlflow.xgboost.log_model(booster, name="model", registered_model_name=MODEL)
    refused("PERMISSION_DENIED", client.set_registered_model_alias, MODEL, "production", "2")
    check(client.get_model_version_by_alias(MODEL, "production").version == "1", "the alias moved")


if __name__ == "__main__":
    {"register": register, "promote": promote, "another": another}[sys.argv[1]]()
