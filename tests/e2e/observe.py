"""What is told of requests, to those who would read it: promtool and Prometheus' own parser, an OTLP receiver, logrotate, Triton's client."""
import http.server
import json
import re
import shutil
import signal
import struct
import subprocess
import threading
import time
import urllib.request

from harness import ROOT, SCRATCH, Copy, Server, Skip, check, contains, run, run_suite

SMALL = ROOT / "tests" / "model" / "small" / "xgboost.json"
ROW = {"age": 41, "income": 424242.5, "job": "cook"}
INSTANCES = json.dumps({"instances": [ROW]}).encode()
TRACE = "0af7651916cd43dd8448eb211c80319c"
DEPLOY = ROOT / "deploy"


def ask(server, path="/v1/models/small:predict", body=INSTANCES, headers=()):
    request = urllib.request.Request(f"{server.url}{path}", data=body, headers=dict(headers))
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read(), answer.headers


def promtool():
    found = shutil.which("promtool") or next((one for one in [ROOT / ".deps" / "bin" / "promtool"] if one.exists()), None)
    if not found:
        raise Skip("promtool is not installed (tools/setup tests)")
    return found


class Collector:
    """An OTLP receiver over HTTP: decodes with OpenTelemetry's own messages and keeps the spans."""

    def __init__(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
        outer = self
        self.resources, self.spans, self.headers, self.refuse = [], [], [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.headers.append(dict(self.headers))
                if outer.refuse:
                    outer.refuse -= 1
                    self.send_response(503)
                    self.send_header("Retry-After", "0")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    outer.resources.append({one.key: one.value.string_value for one in resource.resource.attributes})
                    outer.spans += [span for scope in resource.scope_spans for span in scope.spans]
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def wait(self, count, seconds=20):
        until = time.monotonic() + seconds
        while len(self.roots()) < count and time.monotonic() < until:
            time.sleep(0.05)
        check(len(self.roots()) >= count, f"{len(self.roots())} traces came, not {count}")

    def roots(self):
        return [span for span in self.spans if span.kind == 2]


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_metrics_are_clean_to_promtool_and_the_same_in_every_format():
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
    from prometheus_client.parser import text_string_to_metric_families
    server = Server("--model", f"small={SMALL}")
    try:
        for _ in range(5):
            ask(server)
        text, head = ask(server, "/metrics", None)
        check(head["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", head["Content-Type"])
        families = {one.name: one for one in text_string_to_metric_families(text.decode())}
        counts = {sample.labels["phase"]: sample.value for sample in families["axiom_phase_seconds"].samples
                  if sample.name.endswith("_count") and sample.labels["model"] == "small"}
        check(counts["score"] == 5 and counts["parse"] == 5 and counts["record"] == 0, f"{counts}")
        text, head = ask(server, "/metrics", None, {"Accept": "application/openmetrics-text;version=1.0.0"})
        contains(head["Content-Type"], "openmetrics")
        names = {one.name for one in open_families(text.decode())}
        check({"axiom_phase_seconds", "axiom_http_requests"} <= names, f"{names}")
        triton, _ = ask(server, "/v2/metrics", None)
        contains(triton.decode(), 'nv_inference_request_success{model="small",version="1"} 5', "nv_inference_compute_infer_duration_us")
        text, _ = ask(server, "/metrics", None)
        done = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True, timeout=60)
        check(done.returncode == 0 and not done.stdout + done.stderr, f"{done.stdout}{done.stderr}")
    finally:
        server.stop()


def test_the_alert_rules_are_sound():
    for words in (["check", "rules", "axiom.rules.yml"], ["test", "rules", "axiom.rules.test.yml"]):
        done = subprocess.run([promtool(), *words], cwd=DEPLOY / "prometheus", capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, done.stdout + done.stderr)


def test_rules_and_dashboard_ask_only_for_metrics_that_exist():
    asked = (DEPLOY / "prometheus" / "axiom.rules.yml").read_text()
    for panel in json.loads((DEPLOY / "grafana" / "axiom.json").read_text())["panels"]:
        asked += "\n".join(target["expr"] for target in panel["targets"]) + "\n"
    names = set(re.findall(r"\baxiom_[a-z0-9_]+", asked))
    check(len(names) > 15, f"{names}")
    with Copy(options=["--access_log.file", SCRATCH / "asked.log", "--tracing.endpoint", "http://127.0.0.1:9/v1/traces"]) as bank:
        bank.decided(1)
        there = set(re.findall(r"^(axiom_[a-z0-9_]+)[{ ]", ask(bank.server, "/metrics", None)[0].decode(), re.MULTILINE))
    check(names <= there, f"nobody counts {names - there}")


def test_spans_arrive_at_a_receiver_with_their_phases():
    collector = Collector()
    collector.refuse = 1
    token = SCRATCH / "otlp-headers"
    token.write_text("X-Token: very-secret\n")
    server = Server("--model", f"small={SMALL}", "--tracing.endpoint", collector.endpoint, "--tracing.sample_ratio", "1",
                    "--tracing.interval_ms", "50ms", "--tracing.headers_file", token, "--tracing.service_name", "bank")
    try:
        body, head = ask(server, headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "rojo=1,congo=2",
                                          "X-Request-Id": "request-7"})
        check(head["X-Request-Id"] == "request-7" and head["tracestate"] == "rojo=1,congo=2", f"{head}")
        check(head["traceparent"].startswith(f"00-{TRACE}-") and head["traceparent"].endswith("-01"), head["traceparent"])
        collector.wait(1)
        root = collector.roots()[0]
        said = attributes(root)
        check(root.trace_id.hex() == TRACE and root.parent_span_id.hex() == "b7ad6b7169203331", f"{root}")
        check(head["traceparent"].split("-")[2] == root.span_id.hex() and root.trace_state == "rojo=1,congo=2", f"{root}")
        check(root.name == "POST /v1/models/{model}" and said["http.response.status_code"] == 200, f"{root.name} {said}")
        check(said["axiom.model"] == "small" and said["axiom.request_id"] == "request-7", f"{said}")
        children = {span.name: span for span in collector.spans if span.parent_span_id == root.span_id}
        check({"read", "parse", "route", "features", "score", "write"} <= set(children), f"{list(children)}")
        check(len({span.span_id for span in collector.spans}) == len(collector.spans), "span ids are not unique")
        for span in children.values():
            check(root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano,
                  f"{span.name} lies outside of its request")
        check(abs(root.start_time_unix_nano / 1e9 - time.time()) < 60, "the clock")
        check(collector.resources[0]["service.name"] == "bank", f"{collector.resources}")
        check(collector.headers[0]["X-Token"] == "very-secret", f"{collector.headers}")
        check("424242" not in str(collector.spans), "a feature is in a span")
        contains(ask(server, "/metrics", None)[0].decode(), 'axiom_traces_total{result="exported"} ')
        import tritonclient.grpc as client
        triton = client.InferenceServerClient(f"127.0.0.1:{server.port}")
        triton.is_server_live(headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
        triton.get_model_metadata("small", headers={"traceparent": f"00-{'3' * 32}-{'2' * 16}-00"})  # not sampled
        collector.wait(3)
        rpc = next(span for span in collector.roots() if span.trace_id.hex() == "1" * 32)
        check(attributes(rpc)["rpc.method"] == "ServerLive" and rpc.name == "inference.GRPCInferenceService/ServerLive", f"{rpc}")
        check("3" * 32 not in {span.trace_id.hex() for span in collector.spans}, "the caller's word does not count")
    finally:
        server.stop()


def test_tritonclient_changes_traces_and_logging():
    import tritonclient.grpc
    import tritonclient.http
    collector = Collector()
    server = Server("--model", f"small={SMALL}", "--tracing.endpoint", collector.endpoint, "--tracing.sample_ratio", "0",
                    "--tracing.follow_parent", "false", "--tracing.interval_ms", "50ms")
    try:
        for kind in (tritonclient.http, tritonclient.grpc):
            triton = kind.InferenceServerClient(f"127.0.0.1:{server.port}")
            said = {} if kind is tritonclient.http else {"as_json": True}

            def values(answer):
                if kind is tritonclient.http:
                    return {name: [value] if isinstance(value, str) else value for name, value in answer.items()}
                return {name: value.get("value", [""]) for name, value in answer["settings"].items()}

            before = len(collector.roots())
            check(values(triton.get_trace_settings(**said))["trace_level"] == ["OFF"], "it begins with OFF")
            answer = values(triton.update_trace_settings(model_name="small", settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "1",
                                                                                       "trace_count": "2"}, **said))
            check(answer["trace_level"] == ["TIMESTAMPS"] and answer["trace_rate"] == ["1"] and answer["trace_count"] == ["2"], f"{answer}")
            check(values(triton.get_trace_settings(**said))["trace_level"] == ["OFF"], "the others stay OFF")
            for _ in range(4):
                ask(server)
            collector.wait(before + 2)
            time.sleep(0.3)
            check(len(collector.roots()) == before + 2, f"{len(collector.roots()) - before} traces, not the 2 of trace_count")
            check(values(triton.get_trace_settings(model_name="small", **said))["trace_count"] == ["0"], "trace_count counts down")
            answer = values(triton.update_trace_settings(model_name="small", settings={"trace_level": None, "trace_rate": None,
                                                                                       "trace_count": None}, **said))
            check(answer["trace_level"] == ["OFF"] and answer["trace_count"] == ["-1"], f"{answer}")
            for settings, words in (({"trace_file": "/tmp/x"}, "can not be updated"), ({"trace_level": ["TENSORS"]}, "never hold features"),
                                    ({"trace_rate": "0"}, "trace_rate")):
                try:
                    triton.update_trace_settings(settings=settings, **said)
                except kind.InferenceServerException as error:
                    contains(str(error), words)
                else:
                    check(False, f"{settings} was taken")
            triton.update_log_settings({"log_info": False, "log_verbose_level": 1})
            answer = triton.get_log_settings(**said)
            answer = answer if kind is tritonclient.http else {name: next(iter(value.values()), None) for name, value in answer["settings"].items()}
            check(not answer["log_info"] and answer["log_warning"] and answer["log_verbose_level"] == 1, f"{answer}")
            triton.update_log_settings({"log_info": True, "log_verbose_level": 0})
    finally:
        server.stop()


def test_access_lines_survive_logrotate_and_hold_no_secret():
    path = SCRATCH / "access.log"
    with Copy(options=["--access_log.file", path]) as bank:
        bank.decided(1, request="first")
        until = time.monotonic() + 10
        while not path.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        path.rename(SCRATCH / "access.log.1")
        bank.server.process.send_signal(signal.SIGHUP)
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.05)
        bank.decided(2, request="second")
        status, _ = bank.people["loans"].http("POST", "/api/v1/deployments/credit/decisions?token=xyz", {"features": {}})
        check(status == 400, f"{status}")
        bank.server.stop()
        old, new = (SCRATCH / "access.log.1").read_text(), path.read_text()
        one, two, three = (json.loads(line) for line in old.splitlines()[-1:] + new.splitlines())
        check(one["status"] == two["status"] == 200 and three["status"] == 400, f"{one} {two} {three}")
        check(two["principal"] == "loans" and two["model"] == "credit" and two["deployment"] == "credit", f"{two}")
        check({"parse", "route", "features", "score", "record", "write"} <= set(two["ns"]), f"{two}")
        check(sum(value for name, value in two["ns"].items() if name != "total") <= two["ns"]["total"] * 1.01, f"{two}")
        token = bank.people["loans"].token
        for text in (old, new):
            check(token not in text and "Bearer" not in text and "xyz" not in text, "a secret is in the access log")


def payload_lines(path, count, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until and (not path.exists() or len(path.read_text().splitlines()) < count):
        time.sleep(0.05)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    check(len(lines) == count, f"{len(lines)} lines, not {count}")
    return lines


def tensors(kind):
    """A row of the small model as inputs of tritonclient."""
    import numpy
    arrays = {"age": numpy.array([41], numpy.float32), "income": numpy.array([424242.5], numpy.float32), "job": numpy.array([b"cook"], object)}
    inputs = [kind.InferInput(name, [1], "BYTES" if name == "job" else "FP32") for name in arrays]
    for one, array in zip(inputs, arrays.values()):
        one.set_data_from_numpy(array)
    return inputs


def test_payload_lines_hold_what_every_dialect_asked_and_was_answered():
    import base64
    import queue

    import tritonclient.grpc
    import tritonclient.http
    from tritonclient.grpc import service_pb2
    path = SCRATCH / "payload.log"
    server = Server("--model", f"small={SMALL}", "--payload_log.file", path)
    try:
        ask(server)
        ask(server, "/predictions/small", json.dumps(ROW).encode(), {"Content-Type": "application/json"})
        ask(server, "/invocations", b"age,income,job\n41,424242.5,cook\n", {"Content-Type": "text/csv"})
        ask(server, "/v2/models/small", None)
        http = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.port}")
        http.infer("small", tensors(tritonclient.http), request_id="seven")
        grpc = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.port}")
        score = grpc.infer("small", tensors(tritonclient.grpc), request_id="eight").as_numpy("predict")[0]
        came = queue.Queue()
        grpc.start_stream(lambda result, error: came.put((result, error)))
        for name in ("small", "none", "small"):
            grpc.async_stream_infer(name, tensors(tritonclient.grpc))
            came.get(timeout=20)
        grpc.stop_stream()
        try:
            grpc.infer("none", tensors(tritonclient.grpc))
        except tritonclient.grpc.InferenceServerException:
            pass
        keras, torch, csv, binary, unary, *streamed, refused = lines = payload_lines(path, 9)
        check(all(one["request_id"] and len(one["trace_id"]) == 32 and one["time"] for one in lines), f"{lines}")
        check(keras["request"]["data"] == {"instances": [ROW]} and keras["response"]["data"]["predictions"], f"{keras}")
        check(keras["model"] == "small" and keras["version"] == "1" and keras["protocol"] == "http/1" and keras["status"] == 200, f"{keras}")
        check(torch["request"]["data"] == ROW and torch["inferenceservicename"] == "small", f"{torch}")
        check(csv["request"]["data"].startswith("age,income") and csv["request"]["datacontenttype"] == "text/csv", f"{csv}")
        body, split = base64.b64decode(binary["request"]["data_base64"]), int(binary["request"]["inference_header_content_length"])
        check(json.loads(body[:split])["id"] == "seven" and body.endswith(b"cook"), f"{binary}")
        request = service_pb2.ModelInferRequest.FromString(base64.b64decode(unary["request"]["data_base64"]))
        answer = service_pb2.ModelInferResponse.FromString(base64.b64decode(unary["response"]["data_base64"]))
        check(request.id == answer.id == "eight" and unary["protocol"] == "grpc" and unary["grpc_status"] == 0, f"{unary}")
        check(abs(struct.unpack("<f", answer.raw_output_contents[0])[0] - score) < 1e-6, f"{answer}")
        answers = [service_pb2.ModelStreamInferResponse.FromString(base64.b64decode(one["response"]["data_base64"])) for one in streamed]
        check([bool(one.error_message) for one in answers] == [False, True, False] and answers[0].infer_response.outputs, f"{answers}")
        check([one["inferenceservicename"] for one in streamed] == ["small", "none", "small"], f"{streamed}")
        check(refused["grpc_status"] == 5 and "none" in refused["grpc_message"] and refused["response"]["bytes"] == 0, f"{refused}")
    finally:
        server.stop()


def test_payload_lines_are_their_owners_alone_also_behind_logrotate():
    path = SCRATCH / "payload-kept.log"
    path.write_text("")
    path.chmod(0o644)
    with Copy(options=["--payload_log.file", path, "--payload_log.governed", "true"]) as bank:
        contains(bank.log(), "payloads_in_the_clear")
        bank.decided(1, request="first")
        first = payload_lines(path, 1)[0]
        path.rename(SCRATCH / "payload-kept.log.1")
        bank.server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.05)
        bank.decided(2, request="second")
        second = payload_lines(path, 1)[0]
        for one, line in ((SCRATCH / "payload-kept.log.1", first), (path, second)):
            check(one.stat().st_mode & 0o777 == 0o600, f"{one} has mode {one.stat().st_mode:o}")
            check(line["deployment"] == "credit" and line["response"]["data"]["decision_id"], f"{line}")
            check(bank.people["loans"].token not in one.read_text(), "a token is in the payload log")
        contains(ask(bank.server, "/metrics", None)[0].decode(), 'axiom_payload_log_lines_total{result="written"} 2')


if __name__ == "__main__":
    run_suite(globals())
