"""Webhooks with MLflow's own client, and a receiver that checks signatures as MLflow's documentation says.

Deliveries come at least once: they are tried again until the receiver takes them, and after a kill -9.
"""
import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import threading
import time

from harness import ROOT, check, contains, run_suite, suite_postgres
from mlflow_client import python
from mlflow_oracle import Tracking

FLOWS = ROOT / "tests" / "e2e" / "mlflow_webhooks_flows.py"
OPEN = ("--webhooks.allow_http", "true", "--webhooks.allow_private", "true")
SECRET = "a secret"


class Receiver:
    """Keeps what it is sent; answers with the statuses it was told to, then with 200."""

    def __init__(self, *statuses):
        self.got, self.statuses = [], list(statuses)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.end_headers()
                self.wfile.write(b"taken")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def wait(self, count, seconds=20):
        until = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.02)
        check(len(self.got) >= count, f"{len(self.got)} of {count} came: {self.events()}")

    def events(self):
        return [(body["entity"], body["action"]) for body in (json.loads(raw) for _, raw in self.got)]


def verify(headers, body, secret=SECRET):
    """The receiver's half, as MLflow's documentation has it: headers in any case, five minutes of age."""
    named = {name.lower(): value for name, value in headers.items()}
    stamp, identity = named["x-mlflow-timestamp"], named["x-mlflow-delivery-id"]
    signed = f"{identity}.{stamp}.{body.decode()}".encode()
    want = "v1," + base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    check(hmac.compare_digest(named["x-mlflow-signature"], want), "the signature")
    check(abs(time.time() - int(stamp)) < 300, "the timestamp")
    return identity


def flow(name, server, **environment):
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([str(python(3)), str(FLOWS), name], capture_output=True, text=True, timeout=300, cwd=home,
                              env={**os.environ, "MLFLOW_TRACKING_URI": server.url, "HOME": home, "HOOK_SECRET": SECRET, **environment})
    check(done.returncode == 0, f"{name}: {done.stderr[-3000:]}\n{server.said()[-1000:]}")
    return done.stdout


def test_the_client_makes_changes_and_tries_webhooks():
    with Tracking(*OPEN) as server, Receiver() as receiver:
        flow("webhooks", server, HOOK_URL=receiver.url)


def test_every_event_of_the_registry_is_delivered_and_signed():
    with Tracking(*OPEN) as server, Receiver() as receiver:
        flow("events", server, HOOK_URL=receiver.url)
        receiver.wait(12)
        time.sleep(0.5)
        check(set(receiver.events()) == set([
            ("registered_model", "created"), ("model_version", "created"), ("model_version_tag", "set"), ("model_version_tag", "deleted"),
            ("model_version_alias", "created"), ("model_version_alias", "deleted"), ("prompt", "created"), ("prompt_version", "created"),
            ("prompt_tag", "set"), ("prompt_version_tag", "set"), ("prompt_alias", "created"), ("prompt_alias", "deleted")]), f"{receiver.events()}")
        check(len({verify(*one) for one in receiver.got}) == len(receiver.got), "each has its own identity")
        by_event = {(body["entity"], body["action"]): body for body in (json.loads(raw) for _, raw in receiver.got)}
        check(by_event["model_version", "created"]["data"] == {
            "name": "m", "version": "1", "source": "s3://bucket/m", "run_id": None, "tags": {"a": "b"}, "description": None}, by_event)
        check(by_event["prompt_version", "created"]["data"]["template"] == "Hello {{name}}", by_event)


def test_failed_deliveries_come_again_after_a_crash_too():
    import requests
    with Tracking(*OPEN) as server, Receiver(503, 500) as receiver:
        api = f"{server.url}/api/2.0/mlflow"
        made = requests.post(f"{api}/webhooks", json={"name": "w", "url": receiver.url, "secret": SECRET, "events": [
            {"entity": "REGISTERED_MODEL", "action": "CREATED"}]}).json()["webhook"]
        requests.post(f"{api}/registered-models/create", json={"name": "m"}).raise_for_status()
        receiver.wait(1)
        server.kill()
        server.start(*OPEN)
        receiver.wait(3, 60)
        check(len({verify(*one) for one in receiver.got}) == 1, "one identity for all attempts")
        until = time.monotonic() + 10
        while time.monotonic() < until:
            log = requests.get(f"{api}/webhooks/{made['webhook_id']}/deliveries").json()["deliveries"]
            if log[0]["state"] == "sent":
                break
            time.sleep(0.1)
        check(log[0]["state"] == "sent" and log[0]["attempts"] >= 3 and log[0]["response_status"] == 200, f"{log}")


def in_clear(server):
    """Files of the data directory that hold the secret."""
    return [path.name for path in pathlib.Path(server.folder, "data").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def wait_for(server, webhook, holds):
    import requests
    until = time.monotonic() + 20
    while time.monotonic() < until:
        log = requests.get(f"{server.url}/api/2.0/mlflow/webhooks/{webhook}/deliveries").json()["deliveries"]
        if log and holds(log[0]):
            return log[0]
        time.sleep(0.05)
    raise AssertionError(f"{log}")


def test_r92_secrets_lie_sealed_under_a_key_outside_the_data_directory():
    import requests
    with Tracking(*OPEN) as server, Receiver() as receiver:
        api, key = f"{server.url}/api/2.0/mlflow", pathlib.Path(f"{server.folder}/data.keys/webhook.key")

        def change(name):
            requests.post(f"{api}/registered-models/create", json={"name": name}).raise_for_status()

        check(not key.exists(), "a key without a secret")
        made = requests.post(f"{api}/webhooks", json={"name": "w", "url": receiver.url, "secret": SECRET, "events": [
            {"entity": "REGISTERED_MODEL", "action": "CREATED"}]}).json()["webhook"]["webhook_id"]
        check(key.stat().st_mode & 0o777 == 0o600, "others may read the key")
        change("first")
        receiver.wait(1)
        check(not in_clear(server), f"{in_clear(server)}")
        server.kill()
        check(not in_clear(server), f"{in_clear(server)}")
        server.start(*OPEN)
        change("second")
        receiver.wait(2)
        server.stop()
        # what an older version left, as it left it
        old = f"update webhooks set secret = '{SECRET}', sealed = ''"
        if server.store:
            suite_postgres().sql(server.store[1], old)
        else:
            with contextlib.closing(sqlite3.connect(f"{server.folder}/data/store.db")) as store:
                store.execute(old)
                store.commit()
            check(in_clear(server), "the old state is not there")
        server.start(*OPEN)
        change("third")
        receiver.wait(3)
        server.stop()
        check(not in_clear(server), f"{in_clear(server)}")
        # with another key nothing leaves, and certainly not unsigned
        kept = key.read_bytes()
        key.write_text("00" * 32 + "\n")
        server.start(*OPEN)
        change("fourth")
        failed = wait_for(server, made, lambda one: one["attempts"] > 0)
        contains(failed["error"], "webhook.key", "set it anew")
        tried = requests.post(f"{api}/webhooks/{made}/test", json={}).json()["result"]
        check(not tried["success"] and "set it anew" in tried["error_message"], f"{tried}")
        server.stop()
        check(len(receiver.got) == 3, "something was sent")
        key.write_bytes(kept)
        server.start(*OPEN)
        receiver.wait(4, 60)
        for one in receiver.got:
            verify(*one)


def test_without_settings_only_the_open_internet_over_tls_is_called():
    import requests
    with Tracking() as server, Receiver() as receiver:
        event = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
        for url, words in ((receiver.url, "Invalid webhook URL scheme"), ("https://127.0.0.1:1/x", "non-public"), ("https://[::1]/x", "non-public")):
            answer = requests.post(f"{server.url}/api/2.0/mlflow/webhooks", json={"name": "w", "url": url, "events": event})
            check(answer.status_code == 400 and words in answer.text, f"{url}: {answer.text}")
        # a name that stands for this machine is found out when it is called
        name = requests.post(f"{server.url}/api/2.0/mlflow/webhooks",
                             json={"name": "w", "url": f"https://{pathlib.Path('/etc/hostname').read_text().strip()}:1/x", "events": event}).json()["webhook"]
        tried = requests.post(f"{server.url}/api/2.0/mlflow/webhooks/{name['webhook_id']}/test", json={}).json()["result"]
        check(not tried["success"] and "error_message" in tried, f"{tried}")
        check(not receiver.got, "nothing came")


if __name__ == "__main__":
    run_suite(globals())
