"""What people do with MLflow's client, against the server that MLFLOW_TRACKING_URI names: run by mlflow_client.py, in the
client's own environment. usage: mlflow_flows.py NAME
"""
import os
import pathlib
import sys
import tempfile

from mlflow_half import THREE, check, refused  # first: it makes the client quiet
import mlflow
from mlflow import MlflowClient


def tracking():
    client = MlflowClient()
    check(client.get_experiment("0").name == "Default")
    experiment = mlflow.set_experiment("flow")
    check(mlflow.set_experiment("flow").experiment_id == experiment.experiment_id)
    with mlflow.start_run(run_name="first", tags={"team": "risk"}) as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.1, "rounds": 50})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.8, "odd": float("nan"), "huge": float("inf")})
        mlflow.set_tag("note", "x" * 9000)
        mlflow.set_tags({"a": "1", "b c": "2"})
        refused("INVALID_PARAMETER_VALUE", client.log_param, run.info.run_id, "depth", 4)
        mlflow.log_text("hi", "d/x.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        check(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/d/x.txt") == "hi")
    got = client.get_run(run.info.run_id)
    check(got.info.status == "FINISHED" and got.info.run_name == "first" and got.info.end_time > 0, got.info)
    check(got.data.params == {"depth": "3", "rate": "0.1", "rounds": "50"}, got.data.params)
    check(got.data.metrics["loss"] == 0.2 and got.data.metrics["odd"] != got.data.metrics["odd"] and got.data.metrics["huge"] > 1e308, got.data.metrics)
    check(len(got.data.tags["note"]) == 8000 and got.data.tags["team"] == "risk")
    check([point.value for point in client.get_metric_history(run.info.run_id, "loss")] == [1 / (step + 1) for step in range(5)])
    with mlflow.start_run(run_name="second") as second:
        with mlflow.start_run(nested=True) as child:
            mlflow.log_metric("auc", 0.9)
    check(client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == second.info.run_id)
    table = mlflow.search_runs(experiment_names=["flow"], filter_string="metrics.auc > 0.85 and attributes.status = 'FINISHED'")
    check(list(table.run_id) == [child.info.run_id], table)
    table = mlflow.search_runs(experiment_names=["flow"], order_by=["metrics.auc DESC"])
    check(list(table.run_id) == [child.info.run_id, run.info.run_id, second.info.run_id], table.run_id)
    check([one.name for one in client.search_experiments(filter_string="name LIKE 'fl%'")] == ["flow"])
    check(sorted(one.path for one in client.list_artifacts(run.info.run_id)) == ["d", "d.json"])
    folder = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="d")
    check(pathlib.Path(folder, "x.txt").read_text() == "hi")
    client.delete_run(child.info.run_id)
    refused("INVALID_PARAMETER_VALUE", client.set_tag, child.info.run_id, "a", "b")
    client.restore_run(child.info.run_id)
    client.set_tag(child.info.run_id, "a", "b")
    client.delete_tag(child.info.run_id, "a")
    client.rename_experiment(experiment.experiment_id, "flow 2")
    client.set_experiment_tag(experiment.experiment_id, "k", "v")
    check(client.get_experiment_by_name("flow 2").tags["k"] == "v" and client.get_experiment_by_name("flow") is None)
    client.delete_experiment(experiment.experiment_id)
    refused("INVALID_PARAMETER_VALUE", client.create_run, experiment.experiment_id)
    client.restore_experiment(experiment.experiment_id)
    refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, "flow 2")


def batches():
    """More than one batch holds: the client splits, every page comes back."""
    from mlflow.entities import Metric, Param, RunTag
    client = MlflowClient()
    run = client.create_run("0")
    client.log_batch(run.info.run_id, [Metric("m", float(at), at, at) for at in range(1000)], [], [])
    client.log_batch(run.info.run_id, [Metric("m", float(at), at, at) for at in range(1000)], [], [])
    check(len(client.get_metric_history(run.info.run_id, "m")) == 1000, "the same points twice are the same points")
    client.log_batch(run.info.run_id, [Metric(f"k{at}", 1.0, 1, 0) for at in range(800)], [Param(f"p{at}", "v") for at in range(100)],
                     [RunTag(f"t{at}", "v") for at in range(100)])
    got = client.get_run(run.info.run_id).data
    check(len(got.metrics) == 801 and len(got.params) == 100 and len(got.tags) == 101, f"{len(got.metrics)} {len(got.params)} {len(got.tags)}")
    for at in range(25):
        client.create_run("0", tags={"page": str(at)})
    seen, token = [], None
    while True:
        page = client.search_runs(["0"], max_results=7, page_token=token, order_by=["attributes.start_time ASC"])
        seen += [one.info.run_id for one in page]
        token = page.token
        if not token:
            break
    check(len(seen) == len(set(seen)) == 26, len(seen))


def registry():
    client = MlflowClient()
    run = client.create_run("0")
    client.log_text(run.info.run_id, "bytes", "m/MLmodel")
    source = f"{run.info.artifact_uri}/m"
    client.create_registered_model("risk", tags={"a": "b"}, description="d")
    refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, "risk")
    one = client.create_model_version("risk", source, run.info.run_id, tags={"k": "v"})
    two = client.create_model_version("risk", source, run.info.run_id, description="second")
    check([one.version, two.version, two.current_stage] == ["1", "2", "None"] or [int(one.version), int(two.version)] == [1, 2], one)
    client.set_registered_model_alias("risk", "champ", "1")
    check(int(client.get_model_version_by_alias("risk", "champ").version) == 1)
    check(client.get_registered_model("risk").aliases, "an alias")
    check(client.get_model_version_download_uri("risk", "1") == source)
    refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, "risk", "none")
    client.delete_registered_model_alias("risk", "champ")
    client.transition_model_version_stage("risk", "1", "Staging")
    client.transition_model_version_stage("risk", "2", "staging", archive_existing_versions=True)
    check(client.get_model_version("risk", "1").current_stage == "Archived")
    check([int(found.version) for found in client.get_latest_versions("risk", ["Staging"])] == [2])
    check([int(found.version) for found in client.search_model_versions("name = 'risk'")] == [2, 1])
    check([int(found.version) for found in client.search_model_versions(f"run_id = '{run.info.run_id}' and tags.k = 'v'")] == [1])
    check([found.name for found in client.search_registered_models("name ILIKE 'RI%'", order_by=["name DESC"])] == ["risk"])
    client.set_model_version_tag("risk", "2", "x", "y")
    client.delete_model_version_tag("risk", "2", "x")
    client.set_registered_model_tag("risk", "x", "y")
    client.delete_registered_model_tag("risk", "x")
    client.update_model_version("risk", "2", "described")
    client.rename_registered_model("risk", "risk 2")
    check(client.get_model_version("risk 2", "2").description == "described")
    client.delete_model_version("risk 2", "2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "risk 2", "2")
    three = client.create_model_version("risk 2", source, run.info.run_id)
    check(int(three.version) == 3, "a number is not given twice")
    refused("INVALID_PARAMETER_VALUE", client.create_model_version, "risk 2", "/etc/passwd")
    client.delete_registered_model("risk 2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "risk 2")


def data():
    """Datasets, tables, figures and images."""
    import numpy
    import pandas
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    with mlflow.start_run() as run:
        dataset = mlflow.data.from_pandas(frame, source="s3://bucket/x.csv", name="loans")
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(dataset, context="training")
        mlflow.log_table({"q": ["x"], "r": [1]}, "t.json")
        mlflow.log_table({"q": ["y"], "r": [2]}, "t.json")
        mlflow.log_image(numpy.zeros((4, 4, 3), dtype=numpy.uint8), "i.png")
    got = mlflow.get_run(run.info.run_id)
    check(len(got.inputs.dataset_inputs) == 1 and got.inputs.dataset_inputs[0].dataset.name == "loans")
    check(got.inputs.dataset_inputs[0].tags[0].value == "training")
    check(len(mlflow.load_table("t.json", run_ids=[run.info.run_id])) == 2)
    check(len(MlflowClient().search_runs(["0"], "dataset.name = 'loans' and dataset.context = 'training'")) == 1)


def models():
    """A model from training to its versions, and back by every form of address."""
    import numpy
    from sklearn.linear_model import LogisticRegression
    rows, labels = numpy.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
    model = LogisticRegression().fit(rows, labels)
    client = MlflowClient()
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.9)
        info = mlflow.sklearn.log_model(model, name="model", input_example=rows, registered_model_name="scorer")
    version = client.search_model_versions("name = 'scorer'")[0]
    client.set_registered_model_alias("scorer", "best", version.version)
    logged = mlflow.get_logged_model(info.model_id)
    check(logged.status.name == "READY" and logged.source_run_id == run.info.run_id, logged)
    for address in (f"models:/{info.model_id}", f"models:/scorer/{version.version}", "models:/scorer@best", f"runs:/{run.info.run_id}/model",
                    "models:/scorer/latest"):
        loaded = mlflow.pyfunc.load_model(address)
        check(list(loaded.predict(rows)) == list(model.predict(rows)), address)
    found = mlflow.search_logged_models(experiment_ids=["0"], output_format="list", filter_string="name = 'model'")
    check([one.model_id for one in found] == [info.model_id], found)
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.log_metric("later", 0.95, model_id=info.model_id)
    check({"later": 0.95}.items() <= {one.key: one.value for one in mlflow.get_logged_model(info.model_id).metrics}.items())
    found = mlflow.search_logged_models(experiment_ids=["0"], output_format="list", order_by=[{"field_name": "metrics.later", "ascending": False}],
                                        filter_string="metrics.later > 0.9")
    check([one.model_id for one in found] == [info.model_id], found)
    again = mlflow.register_model(f"runs:/{run.info.run_id}/model", "scorer")
    check(int(again.version) == 2, again)
    mlflow.set_logged_model_tags(info.model_id, {"k": "v"})
    client.delete_logged_model(info.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, info.model_id)


def autologging():
    """What scikit-learn, XGBoost and LightGBM log by themselves."""
    import lightgbm
    import numpy
    import xgboost
    from sklearn.ensemble import RandomForestClassifier
    random = numpy.random.default_rng(7)
    rows = random.normal(size=(60, 3))
    labels = (rows[:, 0] > 0).astype(int)
    mlflow.autolog(silent=True)
    with mlflow.start_run() as forest:
        RandomForestClassifier(n_estimators=3).fit(rows, labels)
    with mlflow.start_run() as boosted:
        xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, label=labels), num_boost_round=3, evals=[(xgboost.DMatrix(rows, label=labels), "train")])
    with mlflow.start_run() as light:
        lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(rows, label=labels), num_boost_round=3)
    for run, param in ((forest, "n_estimators"), (boosted, "objective"), (light, "objective")):
        got = mlflow.get_run(run.info.run_id)
        check(param in got.data.params and got.info.status == "FINISHED", got.data.params)
        check(got.outputs.model_outputs, "the model is an output of its run")
        loaded = mlflow.pyfunc.load_model(f"models:/{got.outputs.model_outputs[0].model_id}")
        check(len(loaded.predict(rows)) == 60)
    check(len(MlflowClient().get_metric_history(boosted.info.run_id, "train-logloss")) == 3)


def large():
    """In parts, up and down."""
    os.environ.update(MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD="true", MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD="true",
                      MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=str(6 << 20), MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=str(5 << 20),
                      MLFLOW_MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE=str(6 << 20), MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE=str(5 << 20))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "big.bin")
        path.write_bytes(os.urandom(12 << 20))
        with mlflow.start_run() as run:
            mlflow.log_artifact(path)
        back = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="big.bin", dst_path=f"{folder}/back")
        check(pathlib.Path(back).read_bytes() == path.read_bytes())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    print("done")
