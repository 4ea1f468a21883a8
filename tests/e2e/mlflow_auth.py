"""What an administrator and two users do with MLflow's own client for users and permissions (get_app_client("basic-auth")), against the
server that MLFLOW_TRACKING_URI names: run by identity.py, in the client's environment.
"""
import os

from mlflow_half import THREE, check, refused  # first: it makes the client quiet
from mlflow import MlflowClient
from mlflow.server import get_app_client

URI = os.environ["MLFLOW_TRACKING_URI"]


def be(name, password):
    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = name, password


auth, client = get_app_client("basic-auth", tracking_uri=URI), MlflowClient()
be("admin", os.environ["ADMIN_TOKEN"])
made = auth.create_user("eve", "eves password")
check(made.username == "eve" and made.is_admin is False, made)
refused("RESOURCE_ALREADY_EXISTS", auth.create_user, "eve", "eves password")
check(auth.get_user("admin").is_admin)
refused("PERMISSION_DENIED", auth.update_user_admin, "eve", True)

be("dana", os.environ["DANA_TOKEN"])
experiment = client.create_experiment("danas")
refused("PERMISSION_DENIED", auth.create_user, "mallory", "some password")
run = client.create_run(experiment)
client.log_metric(run.info.run_id, "auc", 0.7)

be("eve", "eves password")
check(auth.get_user("eve").username == "eve")
for call in (lambda: client.get_experiment(experiment), lambda: client.get_run(run.info.run_id),
             lambda: client.log_metric(run.info.run_id, "auc", 0.9), lambda: client.create_experiment("eves")):
    call.__name__ = "a call of eve"
    refused("PERMISSION_DENIED", call)
check([one.name for one in client.search_experiments()] == [])

be("dana", os.environ["DANA_TOKEN"])
if THREE:
    auth.grant_user_permission("eve", "experiment", experiment, "READ")
    check(auth.get_user_permission("eve", "experiment", experiment).permission == "READ")
else:
    check(auth.create_experiment_permission(experiment, "eve", "READ").permission == "READ")
    check(auth.get_experiment_permission(experiment, "eve").permission == "READ")

be("eve", "eves password")
check(client.get_experiment(experiment).name == "danas")
check([one.name for one in client.search_experiments()] == ["danas"])
check(client.get_run(run.info.run_id).data.metrics == {"auc": 0.7})
refused("PERMISSION_DENIED", client.log_metric, run.info.run_id, "auc", 0.9)

be("dana", os.environ["DANA_TOKEN"])
if THREE:
    auth.grant_user_permission("eve", "experiment", experiment, "EDIT")
else:
    auth.update_experiment_permission(experiment, "eve", "EDIT")
client.create_registered_model("score")

be("eve", "eves password")
client.log_metric(run.info.run_id, "auc", 0.9)
refused("PERMISSION_DENIED", client.delete_experiment, experiment)
refused("PERMISSION_DENIED", client.get_registered_model, "score")

be("dana", os.environ["DANA_TOKEN"])
if THREE:
    auth.grant_user_permission("eve", "registered_model", "score", "READ")
else:
    check(auth.create_registered_model_permission("score", "eve", "READ").permission == "READ")
be("eve", "eves password")
check(client.get_registered_model("score").name == "score")
refused("PERMISSION_DENIED", client.update_registered_model, "score", "hers")
be("dana", os.environ["DANA_TOKEN"])
if THREE:
    auth.revoke_user_permission("eve", "registered_model", "score")
else:
    auth.delete_registered_model_permission("score", "eve")
be("eve", "eves password")
refused("PERMISSION_DENIED", client.get_registered_model, "score")

be("admin", os.environ["ADMIN_TOKEN"])
auth.update_user_password("eve", "another password")
be("eve", "eves password")
refused("UNAUTHENTICATED", client.get_experiment, experiment)
be("eve", "another password")
check(client.get_experiment(experiment).name == "danas")
if THREE:
    auth.update_user_password("eve", "a third password", current_password="another password")
    be("eve", "a third password")
    check(client.get_experiment(experiment).name == "danas")
be("admin", os.environ["ADMIN_TOKEN"])
auth.delete_user("eve")
be("eve", "a third password" if THREE else "another password")
refused("UNAUTHENTICATED", client.get_experiment, experiment)
print("ok")
