#!/usr/bin/env python3
"""load_peers.py FILE...: how long LightGBM takes to open a text model that lies in memory (one thread, C API, processor time)."""
import ctypes
import glob
import os
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
import lightgbm  # noqa: E402

LIBRARY = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(lightgbm.__file__), "**", "lib_lightgbm.so"), recursive=True)[0])
LIBRARY.LGBM_RegisterLogCallback(ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda text: None))
ROUNDS = 31


def load(text):
    handle, rounds = ctypes.c_void_p(), ctypes.c_int()
    began = time.process_time()
    if LIBRARY.LGBM_BoosterLoadModelFromString(text, ctypes.byref(rounds), ctypes.byref(handle)) != 0:
        sys.exit("LightGBM does not open it")
    took = time.process_time() - began
    LIBRARY.LGBM_BoosterFree(handle)
    return took * 1e6


for path in sys.argv[1:]:
    with open(path, "rb") as model:
        content = model.read()
    times = sorted(load(content) for _ in range(ROUNDS))
    print(f"{path:60} {len(content):9} bytes  least {times[0]:9.1f} us  middle {statistics.median(times):9.1f} us")
