#!/usr/bin/env python3
"""load_peers.py FILE...: how long LightGBM (.txt) or XGBoost (else) takes to open a model that lies in memory, and to answer a first row (one thread, processor time)."""
import ctypes
import glob
import os
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
import lightgbm  # noqa: E402
import numpy  # noqa: E402
import xgboost  # noqa: E402

LIBRARY = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(lightgbm.__file__), "**", "lib_lightgbm.so"), recursive=True)[0])
SILENCE = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda text: None)
LIBRARY.LGBM_RegisterLogCallback(SILENCE)
ROUNDS, COLUMNS, F32 = 31, 23, 0


def load_lightgbm(text):
    handle, rounds, length = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int64()
    row, out = numpy.zeros(COLUMNS, "f4"), numpy.zeros(1)
    began = time.process_time()
    if LIBRARY.LGBM_BoosterLoadModelFromString(text, ctypes.byref(rounds), ctypes.byref(handle)) != 0:
        sys.exit("LightGBM does not open it")
    opened = time.process_time()
    LIBRARY.LGBM_BoosterPredictForMatSingleRow(handle, ctypes.c_void_p(row.ctypes.data), F32, COLUMNS, 1, 1, 0, -1, b"num_threads=1 verbose=-1",
                                               ctypes.byref(length), ctypes.c_void_p(out.ctypes.data))
    answered = time.process_time()
    LIBRARY.LGBM_BoosterFree(handle)
    return (opened - began) * 1e6, (answered - began) * 1e6


def load_xgboost(content):
    row, content = numpy.zeros((1, COLUMNS), "f4"), bytearray(content)
    began = time.process_time()
    booster = xgboost.Booster()
    booster.load_model(content)
    opened = time.process_time()
    booster.inplace_predict(row)
    return (opened - began) * 1e6, (time.process_time() - began) * 1e6


for path in sys.argv[1:]:
    with open(path, "rb") as model:
        content = model.read()
    load = load_lightgbm if path.endswith(".txt") else load_xgboost
    opened, answered = zip(*(load(content) for _ in range(ROUNDS)))
    print(f"{path:40} {len(content):9} bytes  open: least {min(opened):9.1f} us  middle {statistics.median(opened):9.1f} us"
          f"  and a first answer: least {min(answered):9.1f} us  middle {statistics.median(answered):9.1f} us")
