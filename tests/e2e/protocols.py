"""Every dialect on one port, asked by the clients people have: the conformance checks, whole, and curl."""
import json
import subprocess
import sys

import numpy
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from harness import SCRATCH, SHARED, Copy, Server, Skip, check, contains, run_suite

CONFORMANCE = SHARED / "conformance"
BODY_BYTES_MAX = 64 << 20


def fixtures():
    """The models of the checks, and what they are: BF16 is left out, NumPy and so the checks have no such numbers."""
    if not CONFORMANCE.exists():
        raise Skip("the conformance checks are not on this machine")
    folder = CONFORMANCE / "fixtures"
    meta = json.loads((folder / "credit_onnx_meta.json").read_text())
    meta["identity"].pop("BF16", None)
    meta["max_body"] = BODY_BYTES_MAX
    path = SCRATCH / "meta.json"
    path.write_text(json.dumps(meta))
    models = {"credit": folder / "credit_xgboost.json", meta["simple"]: folder / "simple.onnx"}
    models |= {name: folder / f"identity_{kind.lower()}.onnx" for kind, name in meta["identity"].items()}
    return path, [word for name, file in models.items() for word in ("--model", f"{name}={file}")]


def conformance(suite, bare=False):
    """Runs one whole suite."""
    meta, models = fixtures()
    server = Server(*models, "--scoring.default_model", "credit")
    url = server.url.removeprefix("http://") if bare else server.url
    try:
        done = subprocess.run([sys.executable, CONFORMANCE / suite, "--url", url, "--model-meta", meta, "--strict"],
                              capture_output=True, text=True, timeout=600)
        lines = done.stdout.splitlines()
        check(any(line.startswith("PASS") for line in lines), done.stdout + done.stderr)
        check(done.returncode == 0 and lines[-1].endswith(" 0 failed"), "\n".join(line for line in lines if not line.startswith("PASS"))[-3000:])
    finally:
        server.stop()


def test_open_inference_protocol_over_rest():
    conformance("oip_rest.py")


def test_open_inference_protocol_over_grpc():
    conformance("oip_grpc.py", bare=True)


def test_tensorflow_serving():
    conformance("tfserving_rest.py")


def test_mlflow_scoring():
    conformance("mlflow_invocations.py")


def test_torchserve_with_its_management_on_a_listener_of_its_own():
    meta, models = fixtures()
    server = Server(*models, "--listen", "127.0.0.1:0=torchserve", "--listen", "127.0.0.1:0=torchserve_management")
    try:
        ports = server.ports()
        check(len(ports) == 3, f"{ports}")
        done = subprocess.run([sys.executable, CONFORMANCE / "torchserve_rest.py", "--url", f"http://127.0.0.1:{ports[1]}", "--management",
                               f"http://127.0.0.1:{ports[2]}", "--model-meta", meta, "--strict"], capture_output=True, text=True, timeout=300)
        check(done.returncode == 0 and " 0 failed" in done.stdout, done.stdout[-2000:])
    finally:
        server.stop()


def tensors(client, features, number_type):
    """One row of features as Triton's client sends it."""
    for name, value in features.items():
        word = isinstance(value, str)
        tensor = client.InferInput(name, [1], "BYTES" if word else number_type)
        tensor.set_data_from_numpy(numpy.array([value], dtype=object if word else client_number(number_type)))
        yield tensor


def client_number(number_type):
    return {"FP32": numpy.float32, "FP64": numpy.float64}[number_type]


def test_a_client_of_grpc_decides_and_the_record_is_there():
    with Copy() as bank:
        status, model = bank.loans.http("GET", "/v2/models/credit")
        check(status == 200, f"{status} {model}")
        numbers = next(one["datatype"] for one in model["inputs"] if one["datatype"] != "BYTES")
        inputs = list(tensors(triton, bank.features(3), numbers))
        outputs = [triton.InferRequestedOutput(name) for name in ("predict", "outcome", "decision_id")]
        client = triton.InferenceServerClient(f"127.0.0.1:{bank.server.port}")
        answer = client.infer("credit", inputs, outputs=outputs, headers={"authorization": f"Bearer {bank.loans.token}"})
        decision = answer.as_numpy("decision_id")[0].decode()
        decided = bank.decided(3)
        check(answer.as_numpy("outcome")[0].decode() == decided["outcome"], f"{decided}")
        check(abs(float(answer.as_numpy("predict")[0]) - decided["probability"]) < 1e-6, f"{decided}")
        status, record = bank.loans.http("GET", f"/api/v1/decisions/{decision}")
        check(status == 200 and record["record"]["deployment"] == "credit", f"{status} {record}")
        try:
            client.infer("credit", inputs)
        except InferenceServerException as error:
            contains(str(error), "UNAUTHENTICATED")
        else:
            check(False, "nobody decided")


if __name__ == "__main__":
    run_suite(globals())
