"""The client's half of mlflow_scoring.py, in MLflow's own environment. usage: mlflow_scoring_flows.py NAME"""
import os
import sys

from mlflow_half import THREE, check  # first: it makes the client quiet
import mlflow
import numpy
import pandas
import requests
from mlflow.models import infer_signature

URL = os.environ["MLFLOW_TRACKING_URI"]
random = numpy.random.default_rng(7)
X = pandas.DataFrame(random.normal(size=(200, 4)), columns=["age", "income", "debt", "years"])
Y = (X["age"] + X["income"] * X["years"] > 0).astype(int)
MANY = pandas.cut(X["age"], [-9, -0.5, 0.5, 9], labels=False)


def log(flavor, model, name, registered, **more):
    named = {"name": name} if THREE else {"artifact_path": name}
    return flavor.log_model(model, registered_model_name=registered, **named, **more)


def load(name):
    answer = requests.post(f"{URL}/v2/repository/models/{name}/load", json={})
    check(answer.status_code == 200, f"{name}: {answer.text}")


def score(name, body=None, path=None):
    body = body or {"dataframe_split": X.to_dict(orient="split")}
    return requests.post(f"{URL}{path or f'/models/{name}/invocations'}", json=body)


def same(name, registered=None, close=0):
    """What the server answers is what pyfunc predicts."""
    want = mlflow.pyfunc.load_model(f"models:/{registered or name}/1").predict(X)
    answer = score(name)
    check(answer.status_code == 200, f"{name}: {answer.status_code} {answer.text[:500]}")
    given = answer.json()["predictions"]
    if isinstance(want, (dict, pandas.DataFrame)):
        check(set(want) == set(given), f"{name}: {set(given)} not {set(want)}")
        pairs = [(want[key], given[key]) for key in want]
    else:
        pairs = [(want, given)]
    for one, other in pairs:
        kind = numpy.asarray(one).dtype if numpy.asarray(one).dtype == numpy.float32 else float
        one, other = numpy.asarray(one, dtype=kind).squeeze(), numpy.asarray(other, dtype=kind).squeeze()
        check(one.shape == other.shape, f"{name}: {other.shape} not {one.shape}")
        check(numpy.abs(one - other).max() <= close, f"{name}: {numpy.abs(one - other).max()} apart")


def serving():
    import xgboost
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(X, Y), 10)
    with mlflow.start_run():
        log(mlflow.xgboost, booster, "booster", "xgb-booster", input_example=X[:3])
        log(mlflow.xgboost, xgboost.XGBClassifier(n_estimators=10, max_depth=3).fit(X, Y), "classifier", "xgb-classifier",
            signature=infer_signature(X, Y))
        log(mlflow.xgboost, xgboost.XGBClassifier(n_estimators=10, max_depth=3).fit(X.to_numpy(), MANY), "many", "xgb-many",
            signature=infer_signature(X, MANY))
        log(mlflow.xgboost, xgboost.XGBRegressor(n_estimators=10).fit(X, X["income"]), "regressor", "xgb-regressor")
        if THREE:
            import catboost
            import lightgbm
            log(mlflow.lightgbm, lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, Y), 10), "lgb", "lgb")
            import skl2onnx
            import sklearn.linear_model
            model = sklearn.linear_model.LogisticRegression().fit(X, Y)
            graph = skl2onnx.to_onnx(model, X[:1].to_numpy(dtype=numpy.float32), options={"zipmap": False})
            log(mlflow.onnx, graph, "logistic_onnx", "graph", signature=infer_signature(X, Y))
            log(mlflow.sklearn, model, "logistic", "sk", signature=infer_signature(X, Y))
            regressor = catboost.CatBoostRegressor(iterations=10, verbose=False, allow_writing_files=False).fit(X, X["income"])
            log(mlflow.catboost, regressor, "cat", "cat", format="json")
    mlflow.MlflowClient().set_registered_model_alias("xgb-booster", "champion", 1)
    for name in ("xgb-booster", "xgb-classifier", "xgb-many", "xgb-regressor"):
        load(name)
        same(name)
    if THREE:
        load("lgb")
        same("lgb")
        for name in ("sk", "graph"):
            load(name)
        same("sk")
        # MLflow itself fails on a frame for this graph, whose second output is a matrix: the runtime says what is right
        import onnxruntime
        runtime = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        want = dict(zip([one.name for one in graph.graph.output], runtime.run(None, {graph.graph.input[0].name: X.to_numpy(dtype=numpy.float32)})))
        for body in (None, {"inputs": X.to_numpy().tolist()}):
            answer = score("graph", body)
            check(answer.status_code == 200, answer.text)
            given = answer.json()["predictions"]
            check(set(given) == set(want), f"{set(given)}")
            check(all(numpy.abs(numpy.asarray(want[key]) - numpy.asarray(given[key])).max() < 1e-6 for key in want), "graph")
        load("cat")
        # MLflow cannot load the JSON form again, so CatBoost itself says what is right
        given = numpy.array(score("cat").json()["predictions"])
        check(numpy.abs(given - regressor.predict(X)).max() < 1e-12, "cat")
    ambiguous = score("", path="/invocations")
    check(ambiguous.status_code == 404 and "scoring.default_model" in ambiguous.text, ambiguous.text)
    records = score("xgb-booster", {"dataframe_records": X[:2].to_dict(orient="records")})
    check(len(records.json()["predictions"]) == 2, records.text)
    wrong = score("xgb-booster", {"dataframe_split": {"columns": ["age"], "data": [["x"]]}})
    check(wrong.status_code == 400, wrong.text)


def again():
    for name in ("xgb-booster", "lgb", "sk"):
        same(name)


def hints():
    import lightgbm
    import sklearn.linear_model
    with mlflow.start_run():
        log(mlflow.sklearn, sklearn.linear_model.LogisticRegression().fit(X, Y), "plain", "plain", signature=infer_signature(X, Y))
        log(mlflow.lightgbm, lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y), "estimator", "estimator")
    for name, words in (("plain", "ONNX"), ("estimator", "booster_")):
        answer = requests.post(f"{URL}/v2/repository/models/{name}/load", json={})
        check(answer.status_code in (400, 501) and words in answer.text and "cannot be served" in answer.text, f"{answer.status_code} {answer.text}")
    answer = requests.post(f"{URL}/v2/repository/models/none/load", json={})
    check(answer.status_code >= 400 and "none" in answer.text, answer.text)


if __name__ == "__main__":
    {"serving": serving, "again": again, "hints": hints}[sys.argv[1]]()
