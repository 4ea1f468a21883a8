"""The client's half of mlflow_import.py: fills an MLflow database, compares it with a server. usage: mlflow_import_flows.py NAME"""
import os
import sys

from mlflow_half import THREE, check  # first: it makes the client quiet
import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import ViewType

SOURCE = os.environ["SOURCE"]


def log_model(client, run):
    """A model and its second version; the environment of version 2 has no scikit-learn, so a file stands for it there."""
    if not THREE:
        mlflow.log_text("flavors: {}", "lr/MLmodel")
        client.create_registered_model("credit")
        for _ in range(2):
            client.create_model_version("credit", f"{run.info.artifact_uri}/lr", run.info.run_id)
        return
    import sklearn.linear_model
    model = sklearn.linear_model.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    info = mlflow.sklearn.log_model(model, name="lr", registered_model_name="credit")
    mlflow.log_metric("auc", 0.9, model_id=info.model_id)
    mlflow.register_model(info.model_uri, "credit")


def fill():
    mlflow.set_tracking_uri(SOURCE)
    client = MlflowClient()
    first = client.create_experiment("first", tags={"team": "risk"})
    second = client.create_experiment("second")
    gone = client.create_experiment("gone")
    mlflow.set_experiment(experiment_id=first)
    for at in range(3):
        with mlflow.start_run(run_name=f"run-{at}", tags={"a": "b"}):
            mlflow.log_params({"depth": at, "long": "x" * 3000})
            for step in range(50):
                mlflow.log_metric("loss", 1 / (step + 1), step=step)
            mlflow.log_metrics({"odd": float("nan"), "huge": float("inf"), "small": -0.0})
            mlflow.log_input(mlflow.data.from_pandas(pandas.DataFrame({"x": [1.5, 2]}), name="train"), context="training")
            mlflow.log_text(f"text {at}", "notes/n.txt")
    with mlflow.start_run(run_name="model") as run:
        log_model(client, run)
    client.set_model_version_tag("credit", "1", "k", "v")
    client.set_registered_model_tag("credit", "x", "y")
    client.set_registered_model_alias("credit", "champion", "2")
    client.update_registered_model("credit", description="words")
    client.create_registered_model("empty")
    client.delete_model_version("credit", "1")
    failed = client.create_run(second)
    client.set_terminated(failed.info.run_id, "FAILED")
    deleted = client.create_run(second)
    client.delete_run(deleted.info.run_id)
    client.delete_experiment(gone)


def experiments_of(client):
    return {one.experiment_id: (one.name, one.lifecycle_stage, {k: v for k, v in one.tags.items() if not k.startswith("mlflow.")}, one.creation_time)
            for one in client.search_experiments(view_type=ViewType.ALL) if one.experiment_id != "0"}


def run_of(run):
    data = {key: value for key, value in run.data.metrics.items() if value == value}
    return (run.info.experiment_id, run.info.run_name, run.info.status, run.info.lifecycle_stage, run.info.start_time, run.info.end_time,
            run.info.user_id, run.data.params, run.data.tags, data, sorted(run.data.metrics),
            [(one.dataset.name, one.dataset.digest, one.dataset.source, one.dataset.schema, [(tag.key, tag.value) for tag in one.tags])
             for one in run.inputs.dataset_inputs], [(one.model_id, one.step) for one in run.outputs.model_outputs] if THREE else [])


def version_of(version):
    return (version.version, version.current_stage, version.run_id, version.description or "", version.tags, version.aliases, version.status)


def compare():
    theirs, ours = MlflowClient(SOURCE), MlflowClient(os.environ["TARGET"])
    check(experiments_of(theirs) == experiments_of(ours), (experiments_of(theirs), experiments_of(ours)))
    ids = list(experiments_of(theirs)) + ["0"]
    runs = theirs.search_runs(ids, run_view_type=ViewType.ALL)
    check({run.info.run_id for run in runs} == {run.info.run_id for run in ours.search_runs(ids, run_view_type=ViewType.ALL)}, "runs")
    for run in runs:
        other = ours.get_run(run.info.run_id)
        check(run_of(theirs.get_run(run.info.run_id)) == run_of(other), f"{run_of(run)}\n{run_of(other)}")
        for key in run.data.metrics:
            points = [[(point.timestamp, point.step, repr(point.value)) for point in sorted(client.get_metric_history(run.info.run_id, key), key=lambda point: (point.step, point.timestamp))]
                      for client in (theirs, ours)]
            check(points[0] == points[1], f"{key}: {points}")
    if THREE:
        models = [sorted((one.model_id, one.name, str(one.status), one.source_run_id, one.params, one.tags, [(point.key, point.value) for point in one.metrics or []])
                         for one in client.search_logged_models(ids)) for client in (theirs, ours)]
        check(models[0] == models[1] and models[0], models)
    for model in theirs.search_registered_models():
        other = ours.get_registered_model(model.name)
        check((model.description or "", model.tags, model.aliases) == (other.description or "", other.tags, {k: str(v) for k, v in other.aliases.items()}) or
              (model.description or "", model.tags, {k: str(v) for k, v in model.aliases.items()}) == (other.description or "", other.tags, {k: str(v) for k, v in other.aliases.items()}),
              f"{model} {other}")
    versions = [sorted(version_of(one) for one in client.search_model_versions("name='credit'")) for client in (theirs, ours)]
    check([one[:3] for one in versions[0]] == [(int(one[0]) if isinstance(versions[0][0][0], int) else one[0], *one[1:3]) for one in versions[1]] or
          [(str(one[0]), *one[1:5]) for one in versions[0]] == [(str(one[0]), *one[1:5]) for one in versions[1]], versions)
    mlflow.set_tracking_uri(os.environ["TARGET"])
    first = next(run for run in runs if run.info.run_name == "run-1")
    check(mlflow.artifacts.load_text(f"runs:/{first.info.run_id}/notes/n.txt") == "text 1")
    check(not THREE or mlflow.sklearn.load_model("models:/credit@champion").predict([[2.0]])[0] == 1)


def goes_on():
    """What was moved is worked with: more is logged, registered, renamed, deleted and restored."""
    client = MlflowClient(os.environ["TARGET"])
    mlflow.set_tracking_uri(os.environ["TARGET"])
    first = client.get_experiment_by_name("first")
    run = client.search_runs([first.experiment_id])[0]
    client.log_metric(run.info.run_id, "loss", 0.001, step=1000)
    check(client.get_run(run.info.run_id).data.metrics["loss"] == 0.001, "the newest point of a moved run")
    with mlflow.start_run(experiment_id=first.experiment_id):
        mlflow.log_text("new", "n.txt")
    version = client.create_model_version("credit", f"runs:/{run.info.run_id}/notes", run.info.run_id)
    check(int(version.version) == 3, version)
    client.set_registered_model_alias("credit", "champion", "3")
    client.restore_experiment(client.get_experiment_by_name("gone").experiment_id)
    client.create_experiment("another")
    check(client.search_runs([first.experiment_id], "metrics.loss < 0.01")[0].info.run_id == run.info.run_id, "search")


if __name__ == "__main__":
    {"fill": fill, "compare": compare, "goes_on": goes_on}[sys.argv[1]]()
