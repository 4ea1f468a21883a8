"""The inference protocol with the clients people have: tritonclient, KServe's, plain HTTP; governed and in development mode."""
import asyncio
import csv
import json

from harness import AXIOM, ROOT, SCRATCH, Copy, Server, check, contains, run, run_suite

SMALL = ROOT / "tests" / "model" / "small" / "xgboost.json"  # with a category
GOLDEN = ROOT / "tests" / "model" / "xgboost-3.2.0" / "binary_logitraw"


def scored(rows=20):
    """What `axiom score` says of the first rows of a golden model's input: (rows as numbers, responses)."""
    lines = (GOLDEN / "input.csv").read_text().splitlines()[:rows + 1]
    table = SCRATCH / "rows.csv"
    table.write_text("\n".join(lines) + "\n")
    code, out, err = run(AXIOM, "score", "--model", GOLDEN / "model.json", "--input", table)
    check(code == 0, err)
    numbers = [[float(cell) if cell else float("nan") for cell in line.split(",")] for line in lines[1:]]
    return numbers, [float(line["response"]) for line in csv.DictReader(out.splitlines())]


def test_tritonclient_in_json_gets_what_score_prints():
    import numpy
    import tritonclient.http as client
    rows, wanted = scored()
    server = Server("--model", f"golden={GOLDEN / 'model.ubj'}", "--model", f"small={SMALL}")
    try:
        triton = client.InferenceServerClient(f"127.0.0.1:{server.port}")
        check(triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready("golden"), "not ready")
        metadata = triton.get_model_metadata("golden")
        check([one["name"] for one in metadata["outputs"]][0] == "predict", f"{metadata}")
        whole = client.InferInput("input-0", [len(rows), len(rows[0])], "FP32")
        whole.set_data_from_numpy(numpy.array(rows, dtype=numpy.float32), binary_data=False)
        answer = triton.infer("golden", [whole], outputs=[client.InferRequestedOutput("predict", binary_data=False)])
        got = answer.as_numpy("predict").ravel()
        check([numpy.float32(one) for one in wanted] == list(got), f"{wanted} against {got}")
        columns = []
        for name, datatype, values in (("job", "BYTES", ["clerk", "driver", "nurse"]), ("age", "FP32", [25, 50, 70]), ("income", "FP32", [1e3, 3e3, 5e2])):
            columns.append(client.InferInput(name, [3], datatype))
            kind = object if datatype == "BYTES" else numpy.float32
            columns[-1].set_data_from_numpy(numpy.array(values, dtype=kind), binary_data=False)
        answer = triton.infer("small", columns, outputs=[client.InferRequestedOutput(one, binary_data=False) for one in ("predict", "contributions")])
        check(len(answer.as_numpy("predict").ravel()) == 3 and answer.as_numpy("contributions").shape == (3, 4), "one tensor per column")
        try:
            triton.infer("none", [whole])
        except client.InferenceServerException as error:
            contains(str(error), "none")
        else:
            check(False, "a model that is not there answered")
    finally:
        server.stop()


def test_kserve_gets_what_score_prints():
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
    rows, wanted = scored(rows=100)
    whole_rows = [at for at, row in enumerate(rows) if all(cell == cell for cell in row)]  # JSON has no NaN
    rows, wanted = [rows[at] for at in whole_rows], [wanted[at] for at in whole_rows]
    check(len(rows) > 5, "the first rows have missing values")
    server = Server("--model", f"golden={GOLDEN / 'model.json'}")

    async def ask():
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
        check(await client.is_server_live(server.url) and await client.is_server_ready(server.url), "not ready")
        whole = InferInput("input-0", [len(rows), len(rows[0])], "FP32", data=[cell for row in rows for cell in row])
        answer = await client.infer(server.url, InferRequest("golden", [whole]), model_name="golden")
        return answer.outputs[0].data

    try:
        got = asyncio.run(ask())
        check(max(abs(one - other) for one, other in zip(got, wanted)) < 1e-6, f"{wanted} against {got}")
    finally:
        server.stop()


def test_a_governed_model_answers_the_protocol_and_leaves_a_record():
    with Copy() as bank:
        features = bank.features(5)
        inputs = [{"name": name, "shape": [1], "datatype": "FP64" if isinstance(value, float) else "BYTES", "data": [value]}
                  for name, value in features.items()]
        status, metadata = bank.loans.http("GET", "/v2/models/credit")
        check(status == 200 and str(metadata["properties"]["governed"]).lower() == "true", f"{status} {metadata}")
        types = {one["name"]: one["datatype"] for one in metadata["inputs"]}
        for one in inputs:
            one["datatype"] = types.get(one["name"], one["datatype"])
        before = bank.metric("axiom_decisions")
        status, answer = bank.loans.http("POST", "/v2/models/credit/infer", {"inputs": inputs})
        check(status == 200, f"{status} {answer}")
        predict = next(one for one in answer["outputs"] if one["name"] == "predict")["data"][0]
        decided = bank.decided(5)
        check(abs(predict - decided["probability"]) < 1e-7, f"{predict} against {decided['probability']}")
        check(bank.metric("axiom_decisions") >= before, "metrics went back")


def test_go_verifies_a_ledger_axiom_wrote():
    with Copy() as bank:
        for number in range(300):
            bank.decided(number)
        bank.checkpoint()
        bank.server.stop()
        code, out, err = run(ROOT / "tests" / "interop" / "run", bank.data / "ledger", bank.vkey)
        check(code == 0, f"{out}{err}")


if __name__ == "__main__":
    run_suite(globals())
