"""The client's half of mlflow_webhooks.py, in MLflow's own environment. usage: mlflow_webhooks_flows.py NAME"""
import os
import sys

from mlflow_half import check  # first: it makes the client quiet
import mlflow
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException

client = MlflowClient()
URL, SECRET = os.environ["HOOK_URL"], os.environ["HOOK_SECRET"]
ALL = ["registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted", "model_version_alias.created",
       "model_version_alias.deleted", "prompt.created", "prompt_version.created", "prompt_tag.set", "prompt_tag.deleted",
       "prompt_version_tag.set", "prompt_version_tag.deleted", "prompt_alias.created", "prompt_alias.deleted"]


def webhooks():
    made = client.create_webhook(name="hook", url=URL, events=["model_version.created", "registered_model.created"], description="d", secret=SECRET)
    check(made.name == "hook" and made.status == WebhookStatus.ACTIVE and made.secret is None, made)
    check({str(event) for event in made.events} == {"model_version.created", "registered_model.created"}, made.events)
    check(client.get_webhook(made.webhook_id) == made or client.get_webhook(made.webhook_id).url == URL)
    for at in range(3):
        client.create_webhook(name=f"more-{at}", url=URL, events=["prompt.created"])
    page = client.list_webhooks(max_results=2)
    check(len(page) == 2 and page.token, page)
    check(len(client.list_webhooks(max_results=2, page_token=page.token)) == 2)
    changed = client.update_webhook(made.webhook_id, name="new", status="DISABLED", events=["model_version_tag.set"], description="e")
    check(changed.name == "new" and changed.status == WebhookStatus.DISABLED and changed.description == "e", changed)
    check([str(event) for event in changed.events] == ["model_version_tag.set"], changed.events)
    tried = client.test_webhook(made.webhook_id)
    check(tried.success and tried.response_status == 200 and tried.response_body == "taken", tried)
    check(client.test_webhook(made.webhook_id, event="model_version.created").success)
    for wrong in (dict(name="a b"), dict(url="ftp://x")):
        try:
            client.create_webhook(**{"name": "w", "url": URL, "events": ["prompt.created"], **wrong})
        except MlflowException as error:
            check(error.error_code == "INVALID_PARAMETER_VALUE", error)
        else:
            raise AssertionError(f"{wrong} was taken")
    client.delete_webhook(made.webhook_id)
    try:
        client.get_webhook(made.webhook_id)
    except MlflowException as error:
        check(error.error_code == "RESOURCE_DOES_NOT_EXIST", error)
    else:
        raise AssertionError("it is still there")


def events():
    client.create_webhook(name="all", url=URL, events=ALL, secret=SECRET)
    client.create_webhook(name="off", url=URL, events=ALL, status="DISABLED")
    client.create_registered_model("m", tags={"x": "y"}, description="words")
    client.create_model_version("m", "s3://bucket/m", tags={"a": "b"})
    client.set_model_version_tag("m", "1", "k", "v")
    client.delete_model_version_tag("m", "1", "k")
    client.set_registered_model_alias("m", "best", "1")
    client.delete_registered_model_alias("m", "best")
    client.set_registered_model_tag("m", "k", "v")  # no event of MLflow's
    mlflow.genai.register_prompt(name="p", template="Hello {{name}}") if hasattr(mlflow, "genai") else mlflow.register_prompt("p", "Hello {{name}}")
    client.set_prompt_version_tag("p", "1", "k", "v")
    client.set_prompt_tag("p", "k", "v")
    client.set_prompt_alias("p", "best", 1)
    client.delete_prompt_alias("p", "best")


if __name__ == "__main__":
    {"webhooks": webhooks, "events": events}[sys.argv[1]]()
