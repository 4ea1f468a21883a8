"""Axiom's scoring engine: exact and fast answers of XGBoost, LightGBM, CatBoost, ONNX and scorecard files.

    import axiom_engine
    model = axiom_engine.Model.load("credit.json")
    model.predict(rows)            # what the objective makes of the margins
    model.margin(rows)             # raw scores
    model.contributions(rows)      # exact Shapley values, bias last
    model.interactions(rows)       # of pairs of features
    model.signature                # names, types, categories, what the file says

Rows are a NumPy array [rows, features] of floats, taken where it lies when it is float32 or float64, or a
pandas DataFrame, whose columns are matched by name. NaN and None are missing. A model is immutable: threads
may share it, each call has working memory of its own.
"""
import ctypes
import dataclasses
import pathlib
import threading

import numpy

__all__ = ["AxiomError", "Feature", "Model", "Signature", "version"]

RESPONSE, MARGIN, CONTRIBUTIONS, LEAF, INTERACTIONS = 1, 2, 4, 8, 32


class _Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("text", ctypes.c_char * 512)]


class _Feature(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("categorical", ctypes.c_int), ("category_count", ctypes.c_size_t),
                ("categories", ctypes.POINTER(ctypes.c_char_p))]


class _Signature(ctypes.Structure):
    _fields_ = [("format", ctypes.c_char_p), ("version", ctypes.c_char_p), ("kind", ctypes.c_char_p), ("objective", ctypes.c_char_p),
                ("float32", ctypes.c_int), ("feature_count", ctypes.c_size_t), ("features", ctypes.POINTER(_Feature)),
                ("margin_count", ctypes.c_size_t), ("response_count", ctypes.c_size_t), ("tree_count", ctypes.c_size_t),
                ("outputs", ctypes.c_uint), ("memory_bytes", ctypes.c_size_t)]


class _Rows(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("count", ctypes.c_size_t), ("row_stride", ctypes.c_size_t), ("column_stride", ctypes.c_size_t),
                ("float32", ctypes.c_int), ("missing_given", ctypes.c_int), ("missing", ctypes.c_double)]


class _Answer(ctypes.Structure):
    _fields_ = [("response", ctypes.c_void_p), ("margin", ctypes.c_void_p), ("contributions", ctypes.c_void_p), ("leaf", ctypes.c_void_p),
                ("interactions", ctypes.c_void_p)]


def _load_library():
    library = ctypes.CDLL(str(pathlib.Path(__file__).parent / "libaxiom.so.0"))
    pointer, error = ctypes.c_void_p, ctypes.POINTER(_Error)
    for name, result, arguments in (
            ("axiom_version", ctypes.c_char_p, []),
            ("axiom_model_read_with", ctypes.c_int, [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.POINTER(pointer), error]),
            ("axiom_model_open_with", ctypes.c_int, [ctypes.c_char_p, ctypes.c_uint, ctypes.POINTER(pointer), error]),
            ("axiom_model_close", None, [pointer]),
            ("axiom_model_signature", ctypes.POINTER(_Signature), [pointer]),
            ("axiom_scorer_open", ctypes.c_int, [pointer, ctypes.c_uint, ctypes.POINTER(_Rows), ctypes.POINTER(pointer), error]),
            ("axiom_scorer_close", None, [pointer]),
            ("axiom_scorer_fast", None, [pointer, ctypes.c_int]),
            ("axiom_score", ctypes.c_int, [pointer, ctypes.POINTER(_Rows), ctypes.POINTER(_Answer), error])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_library = _load_library()


class AxiomError(ValueError):
    """What the engine refuses, in its own words."""


def _check(status, error):
    if status:
        raise AxiomError(error.text.decode(errors="replace"))


def version():
    return _library.axiom_version().decode()


@dataclasses.dataclass(frozen=True)
class Feature:
    name: str
    categorical: bool
    categories: tuple  # words of the codes 0, 1, 2 ...; empty when the file has none


@dataclasses.dataclass(frozen=True)
class Signature:
    format: str
    version: str
    kind: str
    objective: str
    dtype: numpy.dtype  # wider inputs are rounded to this first
    features: tuple
    margin_count: int
    response_count: int
    tree_count: int
    outputs: int
    memory_bytes: int


def _signature_of(raw):
    features = tuple(Feature(one.name.decode(), bool(one.categorical),
                             tuple(one.categories[k].decode() for k in range(one.category_count)))
                     for one in (raw.features[i] for i in range(raw.feature_count)))
    return Signature(raw.format.decode(), raw.version.decode(), raw.kind.decode(), raw.objective.decode(),
                     numpy.dtype(numpy.float32 if raw.float32 else numpy.float64), features, raw.margin_count, raw.response_count,
                     raw.tree_count, raw.outputs, raw.memory_bytes)


def _allowed(machine_code, leaf_masks):
    return (1 if machine_code else 0) | (2 if leaf_masks else 0)


class _Scorer:
    """Working memory of one thread's calls for some outputs."""

    def __init__(self, model, outputs, references):
        error, self.handle = _Error(), ctypes.c_void_p()
        rows = ctypes.byref(references) if references is not None else None
        _check(_library.axiom_scorer_open(model.handle, outputs, rows, ctypes.byref(self.handle), ctypes.byref(error)), error)

    def __del__(self):
        _library.axiom_scorer_close(self.handle)


class Model:
    """A model file, read once. `Model.load(path)` or `Model(bytes)`.

    machine_code: many rows by code that is made for the model (AVX-512; memory is made executable). leaf_masks: single rows
    by a method for which a patent application is told of (docs/kernels.md). Neither changes an answer."""

    def __init__(self, content, *, machine_code=False, leaf_masks=False):
        error, self.handle = _Error(), ctypes.c_void_p()
        allowed = _allowed(machine_code, leaf_masks)
        _check(_library.axiom_model_read_with(content, len(content), allowed, ctypes.byref(self.handle), ctypes.byref(error)), error)
        self._begin()

    @classmethod
    def load(cls, path, *, machine_code=False, leaf_masks=False):
        model, error = cls.__new__(cls), _Error()
        model.handle = ctypes.c_void_p()
        name, allowed = str(path).encode(), _allowed(machine_code, leaf_masks)
        _check(_library.axiom_model_open_with(name, allowed, ctypes.byref(model.handle), ctypes.byref(error)), error)
        model._begin()
        return model

    def _begin(self):
        self.signature = _signature_of(_library.axiom_model_signature(self.handle).contents)
        self._codes = [{word: code for code, word in enumerate(one.categories)} for one in self.signature.features]
        self._local = threading.local()

    def __del__(self):
        if getattr(self, "handle", None):
            self._local = None  # its scorers go first
            _library.axiom_model_close(self.handle)

    # ---- rows ----

    def _cells(self, frame, feature):
        """One column of a DataFrame as floats; words become their codes, unknown ones -1."""
        column, codes = frame[self.signature.features[feature].name], self._codes[feature]
        if codes and not numpy.issubdtype(getattr(column.dtype, "base", numpy.dtype(object)), numpy.number):
            return numpy.array([numpy.nan if value is None or value != value else codes.get(str(value), -1.0) for value in column])
        if getattr(column.dtype, "name", "") == "category":
            return numpy.where(column.cat.codes < 0, numpy.nan, column.cat.codes).astype(numpy.float64)
        return column.to_numpy(dtype=numpy.float64, na_value=numpy.nan)

    def _matrix(self, rows):
        features = self.signature.features
        if hasattr(rows, "columns") and hasattr(rows, "to_numpy"):
            missing = [one.name for one in features if one.name not in rows.columns]
            if missing:
                raise AxiomError(f"the table has no column {missing[0]!r} ({len(missing)} of {len(features)} are missing)")
            plain = [one.name for one in features] == list(rows.columns) and all(
                dtype in (numpy.float32, numpy.float64) for dtype in rows.dtypes) and rows.dtypes.nunique() == 1
            rows = rows.to_numpy() if plain else numpy.column_stack([self._cells(rows, i) for i in range(len(features))])
        array = numpy.asarray(rows)
        if array.ndim == 1:
            array = array[None, :]
        if array.dtype not in (numpy.float32, numpy.float64) or not array.dtype.isnative:
            array = array.astype(numpy.float64)
        if array.ndim != 2 or array.shape[1] != len(features):
            raise AxiomError(f"rows of shape {array.shape}; expected (rows, {len(features)})")
        if any(stride < 0 for stride in array.strides) or (0 in array.strides and array.size > 1):
            array = numpy.ascontiguousarray(array)  # backwards or repeated: laid out anew
        return array

    def _rows(self, array, missing):
        return _Rows(array.ctypes.data, array.shape[0], array.strides[0], array.strides[1], array.dtype == numpy.float32,
                     missing is not None, 0.0 if missing is None else missing)

    # ---- answers ----

    def _score(self, rows, output, width, missing=None, references=None, mode="exact"):
        if mode not in ("exact", "fast"):
            raise AxiomError(f"mode must be exact or fast, not {mode!r}")
        array = self._matrix(rows)
        out = numpy.empty((array.shape[0], width), numpy.int32 if output == LEAF else numpy.float64)
        if references is not None:
            table = self._matrix(references)
            scorer = _Scorer(self, output, self._rows(table, missing))
        else:
            kept = self._local.__dict__.setdefault("scorers", {})
            scorer = kept.get(output) or kept.setdefault(output, _Scorer(self, output, None))
        _library.axiom_scorer_fast(scorer.handle, mode == "fast")
        answer = _Answer(*(out.ctypes.data if output == bit else None for bit in (RESPONSE, MARGIN, CONTRIBUTIONS, LEAF, INTERACTIONS)))
        error = _Error()
        if array.shape[0]:
            _check(_library.axiom_score(scorer.handle, ctypes.byref(self._rows(array, missing)), ctypes.byref(answer),
                                        ctypes.byref(error)), error)
        return out

    def predict(self, rows, missing=None, mode="exact"):
        """What the objective makes of the margins: [rows], or [rows, K] where there are several.

        mode: "exact" adds trees as their library does, "fast" in runs of eight (other last bits, the same everywhere)."""
        out = self._score(rows, RESPONSE, self.signature.response_count, missing, mode=mode)
        return out[:, 0] if out.shape[1] == 1 else out

    def margin(self, rows, missing=None, mode="exact"):
        """Raw scores: [rows], or [rows, K]. mode: as of predict."""
        out = self._score(rows, MARGIN, self.signature.margin_count, missing, mode=mode)
        return out[:, 0] if out.shape[1] == 1 else out

    def leaf(self, rows, missing=None):
        """Where each tree ended, in the library's own numbers: [rows, trees]."""
        return self._score(rows, LEAF, self.signature.tree_count, missing)

    def contributions(self, rows, references=None, missing=None):
        """Exact Shapley values, bias last: [rows, features + 1], or [rows, K, features + 1].

        references: rows to compare with; without them the model's own training cover is used."""
        block, count = len(self.signature.features) + 1, self.signature.margin_count
        out = self._score(rows, CONTRIBUTIONS, count * block, missing, references)
        return out if count == 1 else out.reshape(-1, count, block)

    def interactions(self, rows, missing=None):
        """What pairs of features make together: [rows, features + 1, features + 1], or with K before the features.

        Symmetric; a line adds up to its feature's contribution by the model's own cover, the bias is the last corner."""
        side, count = len(self.signature.features) + 1, self.signature.margin_count
        out = self._score(rows, INTERACTIONS, count * side * side, missing)
        return out.reshape(-1, side, side) if count == 1 else out.reshape(-1, count, side, side)
