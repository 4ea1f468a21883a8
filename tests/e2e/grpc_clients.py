"""The clients of gRPC that people have, against `axiom serve --model`: grpcio with its health, status and channel options,
KServe's, grpcurl and ghz by reflection, grpc-health-probe, curl over HTTP/2, and NVIDIA's perf_analyzer over both protocols."""
import atexit
import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time

import grpc
import numpy
import tritonclient.grpc as triton
import tritonclient.grpc.service_pb2 as messages
import tritonclient.grpc.service_pb2_grpc as services
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from harness import ROOT, Server, Skip, check, contains, run, run_suite

MODEL = ROOT / "tests" / "model" / "xgboost-3.2.0" / "binary_logitraw" / "model.ubj"
BIN = ROOT / ".deps" / "bin"
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
SERVERS = []


def server():
    if not SERVERS:
        SERVERS.append(Server("--model", f"golden={MODEL}"))
        atexit.register(lambda: SERVERS and SERVERS[0].kill())
    return SERVERS[0]


def address(of=None):
    return f"127.0.0.1:{(of or server()).port}"


def tool(name):
    path = BIN / name
    if not path.exists():
        raise Skip(f"{name} is not in .deps/bin: tools/setup says why")
    return path


def width():
    client = triton.InferenceServerClient(address())
    return client.get_model_metadata("golden").inputs[0].shape[1]


def request(rows=1, name="input-0", columns=None):
    columns = columns or width()
    one = messages.ModelInferRequest(model_name="golden")
    one.inputs.add(name=name, datatype="FP32", shape=[rows, columns])
    one.raw_input_contents.append(numpy.zeros((rows, columns), dtype=numpy.float32).tobytes())
    return one


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was answered")


# ---- health

def test_watch_tells_at_once_and_at_the_end():
    """The whole server, a model, a service, and a name that nobody has; SIGTERM tells all of them and ends the calls."""
    own = Server("--model", f"golden={MODEL}")
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address(own)))
    heard = queue.Queue()

    def listen(name, call):
        try:
            for answer in call:
                heard.put((name, answer.status))
        except grpc.RpcError as error:
            heard.put((name, error.code()))

    names = {"": SERVING, "golden": SERVING, "inference.GRPCInferenceService": SERVING, "no.such": SERVICE_UNKNOWN}
    for name in names:
        threading.Thread(target=listen, args=(name, stub.Watch(health_pb2.HealthCheckRequest(service=name))), daemon=True).start()
    check(dict(heard.get(timeout=10) for _ in names) == names, "not told at once")
    time.sleep(0.5)
    check(heard.empty(), "told without a change")
    status, _ = run("curl", "-sS", "-X", "POST", f"{own.url}/v2/repository/models/golden/unload", "-d", "{}")[:2]
    check(status == 0, "not unloaded")
    check(heard.get(timeout=10) == ("golden", SERVICE_UNKNOWN), "the model's end was not told")
    own.process.send_signal(signal.SIGTERM)
    last = [heard.get(timeout=10) for _ in range(2 * len(names))]
    for name in names:
        check([what for who, what in last if who == name] == [NOT_SERVING, grpc.StatusCode.UNAVAILABLE], f"{name}: {last}")
    check(own.process.wait(timeout=20) == 0, "the server did not stop in order")


def test_many_may_watch_and_leave():
    """Streams that are cancelled are forgotten: three times as many as may watch at once come and go."""
    for _ in range(30):
        channel = grpc.insecure_channel(address(), [("grpc.use_local_subchannel_pool", 1)])
        stub = health_pb2_grpc.HealthStub(channel)
        calls = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(100)]
        for call in calls:
            check(next(call).status == SERVING, "not told")
        for call in calls:
            call.cancel()
        channel.close()
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address()))
    check(stub.Check(health_pb2.HealthCheckRequest(), timeout=5).status == SERVING, "no answer")


def test_grpc_health_probe():
    probe = tool("grpc-health-probe")
    code, out, err = run(probe, "-addr", address())
    check(code == 0 and "SERVING" in out + err, f"{code} {out}{err}")
    check(run(probe, "-addr", address(), "-service", "golden")[0] == 0, "a model is a service")
    check(run(probe, "-addr", address(), "-service", "no.such")[0] == 3, "NOT_FOUND is a failed call")
    check(run(probe, "-addr", "127.0.0.1:1", "-connect-timeout", "500ms")[0] == 2, "nobody listens there")


# ---- errors, limits, cancellation, keep-alive

def details_of(error):
    status = rpc_status.from_call(error)
    check(status is not None and status.code == error.code().value[0] and status.message == error.details(), f"{error}")
    found = {}
    for one in status.details:
        kind = one.TypeName().rpartition(".")[2]
        found[kind] = getattr(error_details_pb2, kind)()
        check(one.Unpack(found[kind]), f"{kind} cannot be read")
    return found


def test_errors_carry_details_that_grpc_status_reads():
    stub = services.GRPCInferenceServiceStub(grpc.insecure_channel(address()))
    found = details_of(failure(lambda: stub.ModelInfer(request(columns=3), timeout=5)))
    check(found["ErrorInfo"].reason == "INVALID" and found["ErrorInfo"].domain == "axiom", f"{found}")
    check(len(found["ErrorInfo"].metadata["trace_id"]) == 32, f"{found}")
    violation = found["BadRequest"].field_violations[0]
    check(violation.field == "inputs.input-0", f"{found}")
    contains(violation.description, "unexpected shape")
    found = details_of(failure(lambda: stub.ModelMetadata(messages.ModelMetadataRequest(name="none"), timeout=5)))
    check(found["ErrorInfo"].reason == "NOT_FOUND" and "BadRequest" not in found and "RetryInfo" not in found, f"{found}")
    channel = grpc.insecure_channel(address())
    found = details_of(failure(lambda: channel.unary_unary("/a.B/C")(b"", timeout=5)))
    check(found["ErrorInfo"].reason == "UNSUPPORTED", f"{found}")


def test_messages_are_taken_up_to_their_limit_and_told_beyond():
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(address(), options)
    stub = services.GRPCInferenceServiceStub(channel)
    rows = (60 << 20) // (4 * width())
    check(len(stub.ModelInfer(request(rows=rows), timeout=120).raw_output_contents[0]) == 4 * rows, "sixty megabytes are a batch")
    error = failure(lambda: channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(bytes((64 << 20) + 1), timeout=60))
    check(error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, f"{error}")
    check(stub.ServerLive(messages.ServerLiveRequest(), timeout=5).live, "the channel goes on")


def test_cancelled_calls_leave_the_channel_and_the_server_as_they_were():
    channel = grpc.insecure_channel(address())
    stub = services.GRPCInferenceServiceStub(channel)
    ready = request()
    for _ in range(20):
        calls = [stub.ModelInfer.future(ready) for _ in range(20)]
        for call in calls[::2]:
            call.cancel()
        for call in calls[1::2]:
            check(len(call.result(timeout=10).raw_output_contents) == 1, "a call beside a cancelled one")
    half = stub.ModelStreamInfer(iter([ready]))
    check(next(half).infer_response.model_name == "golden", "a stream")
    half.cancel()
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=0.3)
    check(next(watch).status == SERVING, "not told")
    error = failure(lambda: next(watch))
    check(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, f"{error}")
    check(stub.ServerReady(messages.ServerReadyRequest(), timeout=5).ready, "the channel goes on")


def test_a_client_that_pings_without_need_is_told_so_and_comes_back():
    """The words are gRPC's own: its clients ping half as often afterwards, and try their next call on a new connection."""
    own = Server("--model", f"golden={MODEL}", "--net.ping_gap_ms", "60000")
    options = [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_timeout_ms", 5000), ("grpc.keepalive_permit_without_calls", 1),
               ("grpc.http2.max_pings_without_data", 0), ("grpc.http2.min_ping_interval_without_data_ms", 1000)]
    try:
        stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address(own), options))
        call = stub.Watch(health_pb2.HealthCheckRequest())
        check(next(call).status == SERVING, "not told")
        error = failure(lambda: next(call))
        check(error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED), f"{error}")
        contains(error.details().lower(), "too_many_pings")
        check(stub.Check(health_pb2.HealthCheckRequest(), timeout=10, wait_for_ready=True).status == SERVING, "not back")
    finally:
        own.stop()


# ---- other people's programs

def test_grpcurl_lists_and_calls_by_reflection():
    grpcurl = tool("grpcurl")
    code, out, err = run(grpcurl, "-plaintext", address(), "list")
    check(code == 0, err)
    contains(out, "inference.GRPCInferenceService", "grpc.health.v1.Health")
    code, out, err = run(grpcurl, "-plaintext", address(), "describe", "inference.GRPCInferenceService.ModelInfer")
    contains(out, "ModelInferRequest")
    asked = {"model_name": "golden", "inputs": [{"name": "input-0", "datatype": "FP32", "shape": [1, width()], "contents": {"fp32_contents": [0.5] * width()}}]}
    code, out, err = run(grpcurl, "-plaintext", "-d", json.dumps(asked), address(), "inference.GRPCInferenceService/ModelInfer")
    check(code == 0, err)
    check(json.loads(out)["outputs"][0]["shape"] == ["1"], out)
    code, out, err = run(grpcurl, "-plaintext", "-d", '{"name":"none"}', address(), "inference.GRPCInferenceService/ModelMetadata")
    check(code != 0, "a model that is not there")
    contains(err, "NotFound", "unknown model", "ErrorInfo")


def test_ghz_measures_by_reflection():
    asked = {"model_name": "golden", "inputs": [{"name": "input-0", "datatype": "FP32", "shape": [1, width()], "contents": {"fp32_contents": [0.5] * width()}}]}
    code, out, err = run(tool("ghz"), "--insecure", "--call", "inference.GRPCInferenceService/ModelInfer", "-d", json.dumps(asked),
                         "-n", "2000", "-c", "8", "--connections", "4", "-O", "json", address())
    check(code == 0, err)
    told = json.loads(out)
    check(told["statusCodeDistribution"] == {"OK": 2000}, out[-1000:])


def test_curl_speaks_http2_by_prior_knowledge():
    code, out, err = run("curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_version}", f"{server().url}/v2/health/ready")
    check(code == 0 and out == '{"ready":true} 2', f"{out}{err}")


def perf_analyzer(protocol, *options):
    code, out, err = run(tool("perf_analyzer"), "-m", "golden", "-i", protocol, "-u", address(), "--shape", f"input-0:{width()}",
                         "--measurement-interval", "300", "--stability-percentage", "999", "--max-trials", "3", *options)
    check(code == 0, out + err)
    count = re.search(r"Successful request count: (\d+)", out)
    check(count and int(count[1]) > 100, out)
    contains(out, "Throughput", "p99 latency")


def test_perf_analyzer_over_rest():
    perf_analyzer("http", "--concurrency-range", "2")


def test_perf_analyzer_over_rest_in_json_at_a_rate():
    perf_analyzer("http", "--request-rate-range", "1000", "--request-distribution", "poisson", "--input-tensor-format", "json",
                  "--output-tensor-format", "json")


def test_perf_analyzer_over_grpc():
    perf_analyzer("grpc", "--concurrency-range", "4", "--async")


def test_perf_analyzer_over_a_stream():
    perf_analyzer("grpc", "--concurrency-range", "2", "--streaming")


def test_kserves_client_of_grpc():
    """In a process of its own: KServe and Triton both register the package `inference`."""
    program = f"""
import asyncio
from kserve import InferenceGRPCClient, InferInput, InferRequest
async def ask():
    client = InferenceGRPCClient("{address()}", retries=0)
    assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready("golden")
    one = InferInput("input-0", [1, {width()}], "FP32", data=[0.5] * {width()})
    answer = await client.infer(InferRequest("golden", [one]))
    assert answer.outputs[0].name == "predict" and len(answer.outputs[0].as_numpy()) == 1, answer
asyncio.run(ask())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, done.stderr[-1500:])


def test_the_server_stops_in_order():
    server().stop()
    SERVERS.clear()


if __name__ == "__main__":
    run_suite(globals())
