#!/usr/bin/env python3
"""One library under measurement: a process that bench/engine starts, one a peer, in the peer's own environment.

usage: engine_peers.py PEER FOLDER CORE

It reads a line of JSON a request from standard input and answers each with one:

  {"open": MODEL, "work": WORK}   {"check": [...], "note": "..."} or {"missing": "why"}
  {"round": true}                 {"ns": nanoseconds of one call}

MODEL names files in FOLDER (see engine_models.py). WORK is "row" (one row a call, 1,000 rows in turn), a number of rows a call,
"load", "shap_row", "shap" (many rows) or "interventional" (one row against 1,000 references). A library with a C API is called
by the loop of bench_calls.c, never by Python. Times are the processor's, so that a busy machine counts for less. `check` is the answers to the first rows, by which bench/engine sees that all
score the same.
"""
import ctypes
import glob
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-bench"
ROUND_NS = 30_000_000
COMPILE_SECONDS = 420
SINGLES, CHECKED, REFERENCES = 1000, 200, 1000
POINTER = ctypes.c_void_p


class Missing(Exception):
    """This peer cannot do it here; the words say why."""


class Call(ctypes.Structure):
    _fields_ = [("function", POINTER), ("arguments", ctypes.c_ssize_t * 12), ("turns", ctypes.POINTER(ctypes.c_ssize_t)),
                ("turn_count", ctypes.c_int64), ("changing", ctypes.c_int64)]


LOOP = ctypes.CDLL(str(BUILD / "bench" / "libbench_calls.so"))
LOOP.ax_bench_calls.restype = ctypes.c_int64
LOOP.ax_bench_calls.argtypes = [ctypes.POINTER(Call), ctypes.c_int64]


def address(thing):
    """What an argument is in a register."""
    if isinstance(thing, numpy.ndarray):
        return thing.ctypes.data
    if isinstance(thing, bytes):
        return ctypes.cast(ctypes.c_char_p(thing), POINTER).value
    if isinstance(thing, (ctypes.Structure, ctypes.Array, ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint64)) and not isinstance(thing, POINTER):
        return ctypes.addressof(thing)
    if isinstance(thing, POINTER):
        return thing.value or 0
    return thing or 0


def in_c(function, arguments, turns):
    """A function of times -> nanoseconds; the argument that is Ellipsis takes turns. Everything given is kept alive."""
    call = Call()
    call.function = ctypes.cast(function, POINTER)
    for place, thing in enumerate(arguments):
        if thing is Ellipsis:
            call.changing = place
        else:
            call.arguments[place] = address(thing)
    addresses = (ctypes.c_ssize_t * len(turns))(*[address(turn) for turn in turns])
    call.turns, call.turn_count = addresses, len(turns)

    def run(times):
        return LOOP.ax_bench_calls(ctypes.byref(call), times)
    run.kept = (call, addresses, arguments, turns, function)
    return run


def in_python(function, turns):
    """The same for what has no C API: Python's own call is measured with it."""
    def run(times):
        began = time.process_time_ns()
        for number in range(times):
            function(turns[number % len(turns)])
        return time.process_time_ns() - began
    return run


def pieces(rows, work):
    """The rows of the calls of a work."""
    count = 1 if work in ("row", "shap_row", "interventional") else work
    return [numpy.ascontiguousarray(rows[first:first + count]) for first in range(0, min(len(rows), SINGLES * count) - count + 1, count)]


def shap_rows(model):
    """How many rows "shap" explains at once: fewer of a larger model."""
    return {"g64x500": 200, "g255x1000": 20}.get(model.split(".")[0], 1000)


class Peer:
    """A library: `open` gives the round's function and the answers to be checked."""
    package = None

    def __init__(self, folder):
        self.folder = folder
        self.rows = numpy.load(folder / "rows.npy")

    def path(self, name):
        path = self.folder / name
        if not path.exists():
            raise Missing(f"{name} was not made")
        return path

    def version(self):
        return importlib.metadata.version(self.package)

    def open(self, model, work):
        if work == "load":
            return self.load(model), None
        if isinstance(work, str) and work != "row":
            return self.explain(model, work), None
        return self.score(model, work)

    def load(self, model):
        raise Missing("it does not load this file")

    def explain(self, model, work):
        raise Missing("it does not explain")


class AxiomError(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 512)]


class AxiomRows(ctypes.Structure):
    _fields_ = [("at", POINTER), ("count", ctypes.c_size_t), ("row_stride", ctypes.c_size_t), ("column_stride", ctypes.c_size_t),
                ("float32", ctypes.c_int), ("missing_given", ctypes.c_int), ("missing", ctypes.c_double)]


class AxiomAnswer(ctypes.Structure):
    _fields_ = [("response", POINTER), ("margin", POINTER), ("contributions", POINTER), ("leaf", POINTER)]


class Axiom(Peer):
    """libaxiom, by the functions of axiom.h."""
    RESPONSE, CONTRIBUTIONS = 1, 4
    ALLOWED = 0

    def __init__(self, folder):
        super().__init__(folder)
        self.library = ctypes.CDLL(str(BUILD / "libaxiom.so.0"))
        self.library.axiom_version.restype = ctypes.c_char_p
        self.error = AxiomError()

    def version(self):
        return self.library.axiom_version().decode()

    def check(self, status):
        if status:
            raise Missing(self.error.text.decode())

    def model(self, name):
        model = POINTER()
        self.check(self.library.axiom_model_open_with(os.fsencode(self.path(name)), self.ALLOWED, ctypes.byref(model), ctypes.byref(self.error)))
        return model

    def scorer(self, model, outputs, references=None):
        scorer = POINTER()
        self.check(self.library.axiom_scorer_open(model, outputs, references and ctypes.byref(references), ctypes.byref(scorer),
                                                  ctypes.byref(self.error)))
        return scorer

    def block(self, rows):
        return AxiomRows(at=rows.ctypes.data, count=len(rows), float32=rows.dtype == numpy.float32)

    def typed(self, name):
        """Rows in the type that the model's own library takes."""
        return self.rows.astype(numpy.float64 if ".lgb." in name or name in ("linear.json", "scorecard.json") else numpy.float32)

    def score(self, name, work):
        rows, model = self.typed(name), self.model(name)
        scorer, out = self.scorer(model, self.RESPONSE), numpy.zeros(len(rows) * 2)
        answer = AxiomAnswer(response=out.ctypes.data)
        first = self.block(rows[:CHECKED])
        self.check(self.library.axiom_score(scorer, ctypes.byref(first), ctypes.byref(answer), ctypes.byref(self.error)))
        answers = out[:CHECKED].tolist()
        parts = pieces(rows, work)
        if work == "row":
            function = self.library.axiom_score_row_f64 if rows.dtype == numpy.float64 else self.library.axiom_score_row_f32
            return in_c(function, [scorer, ..., out], parts), answers
        run = in_c(self.library.axiom_score, [scorer, ..., answer, self.error], [self.block(part) for part in parts])
        run.parts = parts, out
        return run, answers

    def explain(self, name, work):
        rows, model = self.typed(name), self.model(name)
        part = rows[:shap_rows(name)] if work == "shap" else rows[:SINGLES]
        references = self.block(rows[-REFERENCES:]) if work == "interventional" else None
        scorer = self.scorer(model, self.CONTRIBUTIONS, references)
        out = numpy.zeros(len(part) * (rows.shape[1] + 1))
        parts = [part] if work == "shap" else pieces(part, work)
        run = in_c(self.library.axiom_score, [scorer, ..., AxiomAnswer(contributions=out.ctypes.data), self.error], [self.block(one) for one in parts])
        run.parts = parts, out
        return run

    def load(self, name):
        content = self.path(name).read_bytes()

        def once(_):
            model = POINTER()
            self.check(self.library.axiom_model_read(content, ctypes.c_size_t(len(content)), ctypes.byref(model), ctypes.byref(self.error)))
            self.library.axiom_model_close(model)
        return in_python(once, [None])


class AxiomCode(Axiom):
    """With machine code for batches, which is off unless it is allowed."""
    ALLOWED = 1


class LightGBM(Peer):
    package = "lightgbm"
    PARAMETERS = b"num_threads=1 verbose=-1"

    def __init__(self, folder):
        super().__init__(folder)
        import lightgbm
        self.library = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(lightgbm.__file__), "**", "lib_lightgbm.so"), recursive=True)[0])
        self.silence = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda _: None)
        self.library.LGBM_RegisterLogCallback(self.silence)

    def booster(self, content):
        handle, rounds = POINTER(), ctypes.c_int()
        if self.library.LGBM_BoosterLoadModelFromString(content, ctypes.byref(rounds), ctypes.byref(handle)):
            raise Missing("it does not load the file")
        return handle

    def matrix(self, handle, rows, parts, kind):
        out, length = numpy.zeros(len(rows) * (rows.shape[1] + 1)), ctypes.c_int64()
        run = in_c(self.library.LGBM_BoosterPredictForMat, [handle, ..., 1, len(parts[0]), rows.shape[1], 1, kind, 0, -1, self.PARAMETERS, length, out], parts)
        return run, out

    def score(self, name, work):
        handle = self.booster(self.path(name).read_bytes())
        run, out = self.matrix(handle, self.rows, [self.rows[:CHECKED]], 0)
        run(1)
        answers = out[:CHECKED].tolist()
        if work != "row":
            return self.matrix(handle, self.rows, pieces(self.rows, work), 0)[0], answers
        fast, length, one = POINTER(), ctypes.c_int64(), numpy.zeros(1)
        if self.library.LGBM_BoosterPredictForMatSingleRowFastInit(handle, 0, 0, -1, 1, self.rows.shape[1], self.PARAMETERS, ctypes.byref(fast)):
            raise Missing("no call for single rows")
        return in_c(self.library.LGBM_BoosterPredictForMatSingleRowFast, [fast, ..., length, one], pieces(self.rows, work)), answers

    def explain(self, name, work):
        if work == "interventional":
            raise Missing("it explains by cover alone")
        parts = [self.rows[:shap_rows(name)]] if work == "shap" else pieces(self.rows, work)
        return self.matrix(self.booster(self.path(name).read_bytes()), self.rows, parts, 3)[0]

    def load(self, name):
        content = self.path(name).read_bytes()
        return in_python(lambda _: self.library.LGBM_BoosterFree(self.booster(content)), [None])


class XGBoost(Peer):
    package = "xgboost"
    CONFIG = json.dumps({"type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False,
                         "missing": float("nan"), "cache_id": 0}).encode()

    def version(self):
        return self.xgboost.__version__

    def __init__(self, folder):
        super().__init__(folder)
        import xgboost
        self.xgboost = xgboost
        self.library = xgboost.core._LIB
        self.rows = self.rows.astype(numpy.float32)

    def booster(self, name):
        booster = self.xgboost.Booster(model_file=str(self.path(name)))
        booster.set_param("nthread", 1)
        return booster

    def score(self, name, work):
        booster, parts = self.booster(name), pieces(self.rows, work)
        answers = booster.inplace_predict(self.rows[:CHECKED]).tolist()
        proxy, shape, dims, out = POINTER(), POINTER(), ctypes.c_uint64(), POINTER()
        if self.library.XGProxyDMatrixCreate(ctypes.byref(proxy)):
            raise Missing("no proxy matrix")
        interfaces = [json.dumps({"data": [part.ctypes.data, True], "shape": part.shape, "typestr": "<f4", "version": 3}).encode() for part in parts]
        run = in_c(self.library.XGBoosterPredictFromDense,
                   [booster.handle, ..., self.CONFIG, proxy, ctypes.addressof(shape), dims, ctypes.addressof(out)], interfaces)
        run.parts = booster, parts, shape, out
        return run, answers

    def explain(self, name, work):
        if work == "interventional":
            raise Missing("it explains by cover alone")
        booster = self.booster(name)
        parts = [self.rows[:shap_rows(name)]] if work == "shap" else pieces(self.rows[:100], work)
        return in_python(lambda matrix: booster.predict(matrix, pred_contribs=True), [self.xgboost.DMatrix(part, nthread=1) for part in parts])

    def load(self, name):
        content = bytearray(self.path(name).read_bytes())

        def once(_):
            booster = self.xgboost.Booster()
            booster.load_model(content)
        return in_python(once, [None])


class OnnxRuntime(Peer):
    """Its C API by places in its table of functions, which its ABI promises to keep."""
    package = "onnxruntime"
    PLACES = {"GetErrorMessage": 2, "CreateEnv": 3, "CreateSession": 7, "Run": 9, "CreateSessionOptions": 10, "SetIntraOpNumThreads": 24,
              "SetInterOpNumThreads": 25, "CreateTensorWithDataAsOrtValue": 49, "CreateCpuMemoryInfo": 69}
    API_VERSION, FLOATS = 16, 1

    def __init__(self, folder):
        super().__init__(folder)
        import onnxruntime
        library = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(onnxruntime.__file__), "capi", "libonnxruntime.so*"))[0])
        library.OrtGetApiBase.restype = ctypes.POINTER(POINTER * 2)
        get = ctypes.CFUNCTYPE(POINTER, ctypes.c_uint32)(library.OrtGetApiBase().contents[0])
        self.table = ctypes.cast(get(self.API_VERSION), ctypes.POINTER(POINTER * 128)).contents
        self.rows = self.rows.astype(numpy.float32)
        self.environment, self.memory = POINTER(), POINTER()
        self.call("CreateEnv", 3, b"bench", ctypes.byref(self.environment))
        self.call("CreateCpuMemoryInfo", 0, 0, ctypes.byref(self.memory))

    def call(self, name, *arguments):
        function = ctypes.cast(self.table[self.PLACES[name]], ctypes.CFUNCTYPE(POINTER))
        function.argtypes = None
        failed = function(*[ctypes.c_int64(one) if isinstance(one, int) else one for one in arguments])
        if failed:
            words = ctypes.CFUNCTYPE(ctypes.c_char_p, POINTER)(self.table[self.PLACES["GetErrorMessage"]])(failed)
            raise Missing(words.decode(errors="replace"))

    def session(self, name):
        options, session = POINTER(), POINTER()
        self.call("CreateSessionOptions", ctypes.byref(options))
        self.call("SetIntraOpNumThreads", options, 1)
        self.call("SetInterOpNumThreads", options, 1)
        self.call("CreateSession", self.environment, os.fsencode(self.path(name)), options, ctypes.byref(session))
        return session

    def tensor(self, array):
        value, shape = POINTER(), (ctypes.c_int64 * array.ndim)(*array.shape)
        self.call("CreateTensorWithDataAsOrtValue", self.memory, POINTER(array.ctypes.data), array.nbytes, shape, array.ndim, self.FLOATS, ctypes.byref(value))
        return value

    def running(self, session, parts):
        out = numpy.zeros((len(parts[0]), 2), numpy.float32)
        tensors = [self.tensor(part) for part in parts]
        target = (POINTER * 1)(self.tensor(out).value)
        # The one input is given by the address of a cell that holds its tensor.
        cells = [(POINTER * 1)(tensor.value) for tensor in tensors]
        run = in_c(POINTER(self.table[self.PLACES["Run"]]), [session, 0, (ctypes.c_char_p * 1)(b"x"), ..., 1, (ctypes.c_char_p * 1)(b"p"), 1, target], cells)
        run.parts = parts, tensors, out
        return run, out

    def score(self, name, work):
        session = self.session(name.replace(".lgb.txt", ".onnx").replace("linear.json", "linear.onnx"))
        run, out = self.running(session, [self.rows[:CHECKED]])
        run(1)
        return self.running(session, pieces(self.rows, work))[0], out[:, 1].tolist()


def compiled(sources, wrapper, target, language="gcc"):
    """A shared library of generated sources and ours, if the compiler ends in time."""
    if target.exists():
        return ctypes.CDLL(str(target))
    deadline = time.monotonic() + COMPILE_SECONDS
    objects = []
    for source in [*sorted(sources), wrapper]:
        left = max(1, deadline - time.monotonic())
        done = source.with_suffix(".o")
        try:
            subprocess.run([language, "-c", "-O3", "-march=native", "-fPIC", "-o", done, source], check=True, timeout=left, stderr=subprocess.DEVNULL)
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as why:
            raise Missing(f"the compiler gave up: {type(why).__name__}") from None
        objects.append(done)
    subprocess.run([language, "-shared", "-o", target, *objects, "-lm"], check=True)
    return ctypes.CDLL(str(target))


class Tl2cgen(Peer):
    package = "tl2cgen"
    WRAPPER = """
#include <math.h>
#include <stdint.h>
#include "header.h"
void bench_rows(const {type} *rows, int64_t count, double *out)
{{
    union Entry cells[{columns}];
    for (int64_t i = 0; i < count; i++, rows += {columns}) {{
        for (int f = 0; f < {columns}; f++)
            if (isnan(rows[f])) cells[f].missing = -1; else cells[f].fvalue = rows[f];
        predict(cells, 0, out + i);
    }}
}}
"""

    def score(self, name, work):
        import tl2cgen
        import treelite
        folder, columns = self.folder / f"{name}.tl2cgen", self.rows.shape[1]
        if not folder.exists():
            tl2cgen.generate_c_code(treelite.frontend.load_lightgbm_model(str(self.path(name))), dirpath=str(folder), params={"parallel_comp": 32})
        sources = [path for path in folder.glob("*.c") if path.name != "bench_rows.c"]
        kind = "double" if "double fvalue" in (folder / "header.h").read_text() else "float"
        wrapper = folder / "bench_rows.c"
        wrapper.write_text(self.WRAPPER.format(type=kind, columns=columns))
        library = compiled(sources, wrapper, folder / "model.so")
        rows, out = numpy.ascontiguousarray(self.rows.astype(kind if kind == "float64" else {"float": "f4", "double": "f8"}[kind])), numpy.zeros(len(self.rows))
        library.bench_rows(POINTER(rows.ctypes.data), ctypes.c_int64(CHECKED), POINTER(out.ctypes.data))
        answers, parts = out[:CHECKED].tolist(), pieces(rows, work)
        return in_c(library.bench_rows, [..., len(parts[0]), out], parts), answers


class Lleaves(Peer):
    package = "lleaves"

    def score(self, name, work):
        import lleaves
        cache = self.folder / f"{name}.lleaves"
        if not cache.exists():
            code = f"import lleaves; lleaves.Model({str(self.path(name))!r}).compile(cache={str(cache)!r})"
            try:
                subprocess.run([sys.executable, "-c", code], check=True, timeout=COMPILE_SECONDS, capture_output=True)
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as why:
                raise Missing(f"its compiler gave up: {type(why).__name__}") from None
        model = lleaves.Model(str(self.path(name)))
        model.compile(cache=str(cache))
        out, parts = numpy.zeros(len(self.rows)), pieces(self.rows, work)
        answers = model.predict(self.rows[:CHECKED], n_jobs=1).tolist()
        run = in_c(model._c_entry_func, [..., out, 0, len(parts[0])], parts)
        run.model = model
        return run, answers


class CatBoost(Peer):
    package = "catboost"
    WRAPPER = """
#include <cstdint>
extern "C" void bench_rows(const float *rows, int64_t count, double *out)
{{
    static std::vector<float> cells({columns});
    for (int64_t i = 0; i < count; i++, rows += {columns}) {{
        cells.assign(rows, rows + {columns});
        out[i] = ApplyCatboostModel(cells);
    }}
}}
"""

    def model(self, name):
        import catboost
        model = catboost.CatBoostClassifier()
        model.load_model(str(self.path(name.replace(".cat.json", ".cbm"))))
        return model

    def score(self, name, work):
        import catboost
        model, rows = self.model(name), numpy.ascontiguousarray(self.rows.astype(numpy.float32))
        answers = model.predict_proba(rows[:CHECKED])[:, 1].tolist()
        parts = pieces(rows, work)
        if work != "row":
            pools = [catboost.FeaturesData(num_feature_data=part) for part in parts]
            return in_python(lambda pool: model.predict(pool, prediction_type="RawFormulaVal", thread_count=1), pools), answers
        source = self.folder / f"{name}.cpp"
        if not source.exists():
            model.save_model(str(source), format="cpp")
            source.write_text(source.read_text() + self.WRAPPER.format(columns=rows.shape[1]))
        library, out = compiled([], source, source.with_suffix(".so"), "g++"), numpy.zeros(1)
        return in_c(library.bench_rows, [..., 1, out], parts), answers

    def explain(self, name, work):
        import catboost
        if work == "interventional":
            raise Missing("it explains by cover alone")
        model, rows = self.model(name), numpy.ascontiguousarray(self.rows.astype(numpy.float32))
        parts = [rows[:shap_rows(name)]] if work == "shap" else pieces(rows[:50], work)
        pools = [catboost.Pool(catboost.FeaturesData(num_feature_data=part)) for part in parts]
        return in_python(lambda pool: model.get_feature_importance(pool, type="ShapValues", thread_count=1), pools)


class Shap(Peer):
    package = "shap"

    def explain(self, name, work):
        import shap
        import xgboost
        rows = self.rows.astype(numpy.float32)
        booster = xgboost.Booster(model_file=str(self.path(name)))
        if work == "interventional":
            explainer = shap.TreeExplainer(booster, rows[-REFERENCES:], feature_perturbation="interventional")
        else:
            explainer = shap.TreeExplainer(booster)
        explainer.model.model_type = "internal"  # its own extension, not the library's
        parts = [rows[:shap_rows(name)]] if work == "shap" else pieces(rows[:50], work)
        return in_python(lambda part: explainer.shap_values(part, check_additivity=False), parts)


class FastTreeShap(Peer):
    package = "fasttreeshap"

    def explain(self, name, work):
        import fasttreeshap
        import xgboost
        if work == "interventional":
            raise Missing("it explains by cover alone")
        rows = self.rows.astype(numpy.float32)
        booster = xgboost.Booster(model_file=str(self.path(name)))
        explainer = fasttreeshap.TreeExplainer(booster, algorithm="v2" if work == "shap" else "v1", n_jobs=1, shortcut=False)
        parts = [rows[:shap_rows(name)]] if work == "shap" else pieces(rows[:50], work)
        return in_python(lambda part: explainer.shap_values(part, check_additivity=False), parts)


class ByHand(Peer):
    """A plain loop in C: the floor of a linear model."""

    def version(self):
        return "C"

    def score(self, name, work):
        return self.scorecard(name, work) if name == "scorecard.json" else self.linear(name, work)

    def linear(self, name, work):
        class Linear(ctypes.Structure):
            _fields_ = [("weights", POINTER), ("count", ctypes.c_int64), ("bias", ctypes.c_double)]
        terms = json.loads(self.path(name).read_text())
        weights = numpy.array([term["coefficient"] for term in terms["terms"]])
        linear, out = Linear(weights.ctypes.data, len(weights), terms["intercept"]), numpy.zeros(1)
        answers = (1 / (1 + numpy.exp(-(self.rows[:CHECKED] @ weights + terms["intercept"])))).tolist()
        run = in_c(LOOP.ax_bench_logistic, [linear, ..., out], pieces(self.rows, work))
        run.weights = weights
        return run, answers

    def scorecard(self, name, work):
        class Scorecard(ctypes.Structure):
            _fields_ = [("edges", POINTER), ("values", POINTER), ("count", ctypes.c_int64), ("bins", ctypes.c_int64), ("bias", ctypes.c_double)]
        card = json.loads(self.path(name).read_text())
        columns = card["characteristics"]
        edges = numpy.array([[one["to"] for one in column["bins"][:-1]] for column in columns])
        values = numpy.array([[column["coefficient"] * one["woe"] for one in column["bins"]] for column in columns])
        model, out = Scorecard(edges.ctypes.data, values.ctypes.data, len(columns), values.shape[1], card["intercept"]), numpy.zeros(1)
        answers = []
        for row in self.rows[:CHECKED]:
            LOOP.ax_bench_scorecard(ctypes.byref(model), POINTER(numpy.ascontiguousarray(row).ctypes.data), POINTER(out.ctypes.data))
            answers.append(float(out[0]))
        run = in_c(LOOP.ax_bench_scorecard, [model, ..., out], pieces(self.rows, work))
        run.kept_tables = edges, values
        return run, answers


PEERS = {"axiom": Axiom, "axiom, code": AxiomCode, "lightgbm": LightGBM, "xgboost": XGBoost, "xgboost-1.7": XGBoost, "onnxruntime": OnnxRuntime, "tl2cgen": Tl2cgen,
         "lleaves": Lleaves, "catboost": CatBoost, "shap": Shap, "fasttreeshap": FastTreeShap, "by hand": ByHand}


def calls_a_round(run):
    """So many calls that a round takes about ROUND_NS."""
    run(1)
    times = 1
    while (took := max(run(times), 1)) < ROUND_NS / 10:
        times *= 4
    return max(1, round(times * ROUND_NS / took))


def answer(peer, state, request):
    if "open" in request:
        state.clear()
        run, answers = peer.open(request["open"], request["work"])
        state.update(run=run, times=calls_a_round(run))
        return {"check": answers, "version": peer.version()}
    return {"ns": state["run"](state["times"]) / state["times"]}


def main():
    name, folder, core = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    peer, why, state = None, None, {}
    try:
        peer = PEERS[name](pathlib.Path(folder))
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if why:
                raise Missing(why)
            if "open" in request:
                os.sched_setaffinity(0, range(os.cpu_count()))  # compilers stay off the measured core
            said = answer(peer, state, request)
            os.sched_setaffinity(0, {int(core)})
        except Exception as error:
            said = {"missing": str(error).splitlines()[0] if str(error) else type(error).__name__}
        print(json.dumps(said), file=out, flush=True)


if __name__ == "__main__":
    main()
