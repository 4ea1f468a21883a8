"""Every dialect on one port, asked by the clients people have: the conformance checks, whole, and curl."""
import json
import subprocess
import sys

from harness import ROOT, SCRATCH, SHARED, Copy, Server, Skip, check, contains, run_suite

CONFORMANCE = SHARED / "conformance"
GOLDEN = ROOT / "tests" / "model" / "xgboost-3.2.0" / "binary_logitraw"
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


def conformance(suite, *options, listeners=(), strict=True):
    meta, models = fixtures()
    server = Server(*models, "--scoring.default_model", "credit", *listeners)
    try:
        done = subprocess.run([sys.executable, CONFORMANCE / suite, "--url", server.url, "--model-meta", meta, *(["--strict"] if strict else []), *options],
                              capture_output=True, text=True, timeout=600)
        last = (done.stdout.strip().splitlines() or [""])[-1]
        failed = [line for line in done.stdout.splitlines() if not line.startswith("PASS")]
        check(done.returncode == 0 and " 0 failed" in last and not last.startswith("0 "), "\n".join(failed)[-3000:] + done.stderr[-500:])
    finally:
        server.stop()


def test_open_inference_protocol_over_rest():
    conformance("oip_rest.py")


def test_open_inference_protocol_over_grpc():
    conformance("oip_grpc.py")


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
                               f"http://127.0.0.1:{ports[2]}", "--model-meta", meta], capture_output=True, text=True, timeout=300)
        check(done.returncode == 0 and " 0 failed" in done.stdout, done.stdout[-2000:])
    finally:
        server.stop()


def test_a_client_of_grpc_decides_and_the_record_is_there():
    import grpc
    import tritonclient.grpc as client
    with Copy() as bank:
        features = bank.features(3)
        inputs = []
        for name, value in features.items():
            words = isinstance(value, str)
            tensor = client.InferInput(name, [1], "BYTES" if words else bank.number_type())
            import numpy
            tensor.set_data_from_numpy(numpy.array([value], dtype=object if words else numpy.dtype("float32" if bank.number_type() == "FP32" else "float64")))
            inputs.append(tensor)
        triton = client.InferenceServerClient(f"127.0.0.1:{bank.server.port}")
        headers = {"authorization": f"Bearer {bank.loans.token}"}
        outputs = [client.InferRequestedOutput(name) for name in ("predict", "outcome", "decision_id")]
        answer = triton.infer("credit", inputs, outputs=outputs, headers=headers)
        decision = answer.as_numpy("decision_id")[0].decode()
        decided = bank.decided(3)
        check(answer.as_numpy("outcome")[0].decode() == decided["outcome"], f"{decided}")
        check(abs(float(answer.as_numpy("predict")[0]) - decided["probability"]) < 1e-6, f"{decided}")
        status, record = bank.loans.http("GET", f"/api/v1/decisions/{decision}")
        check(status == 200 and record["record"]["deployment"] == "credit", f"{status} {record}")
        try:
            triton.infer("credit", inputs)
        except Exception as error:  # noqa: BLE001
            contains(str(error), "UNAUTHENTICATED")
        else:
            check(False, "nobody decided")
        check(grpc is not None, "grpc")


if __name__ == "__main__":
    run_suite(globals())
