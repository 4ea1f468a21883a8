#!/usr/bin/env python3
"""make_cases.py FOLDER: the small golden cases that are not in the large set, as its README describes them.

Run with each library that is to answer for itself (lightgbm 2.2.3, 3.0.0 and 4.7.0, catboost 1.2.10): it makes
the cases of those that are installed. Seeds are fixed.
"""
import json
import os
import sys

import numpy as np

SEED, ROWS, SHAP_ROWS = 7, 60, 16


def put(root, family, name, names, rows, expected, meta):
    folder = os.path.join(root, family, name)
    os.makedirs(folder, exist_ok=True)
    digits = "%.9g" if meta["input_type"] == "float32" else "%.17g"
    with open(os.path.join(folder, "input.csv"), "w") as out:
        out.write(",".join(names) + "\n")
        for row in rows:
            out.write(",".join("" if np.isnan(v) else digits % v for v in row) + "\n")
    with open(os.path.join(folder, "expected.json"), "w") as out:
        json.dump({k: np.asarray(v).tolist() for k, v in expected.items()}, out)
    with open(os.path.join(folder, "meta.json"), "w") as out:
        json.dump(meta, out, indent=1)
        out.write("\n")
    return folder


def table(rng, count):
    """Numbers with holes and zeros, and codes of categories in columns 4 and 5."""
    x = rng.normal(size=(count, 6))
    x[:, 1] = np.round(x[:, 1], 1)
    x[rng.random(count) < 0.3, 2] = 0
    x[:, 4] = rng.integers(0, 5, count)
    x[:, 5] = rng.integers(0, 40, count)
    target = x[:, 0] + (x[:, 4] == 2) - np.isin(x[:, 5] % 7, (1, 4)) + 0.3 * x[:, 2]
    x[rng.random(count) < 0.2, 1] = np.nan
    x[rng.random(count) < 0.1, 0] = np.nan
    return x, target


def odd_rows(x):
    """Real rows, then categories and values that training has not seen."""
    rows = x[:ROWS].copy()
    odd = [(4, -1), (4, -0.5), (4, 0.9), (4, 2.9), (4, 7), (5, 31.5), (5, 41), (5, 2.0**24), (5, 2.0**31), (4, np.nan),
           (0, np.inf), (0, -np.inf), (2, 1e-36), (2, -1e-36), (1, 1e300)]
    for i, (column, value) in enumerate(odd):
        rows[i + 5, column] = value
    return np.vstack([rows, np.full((1, x.shape[1]), np.nan)])


def lightgbm_meta(lgb, params, **more):
    return dict(library="lightgbm", version=lgb.__version__, files=["model.txt"], input_type="float64", output_type="float64", params=params,
                equal=dict(leaf="exact", margin="bit", prediction="1 ulp (4 for softmax)", contribs="1e-9"), **more)


def lightgbm_numbers(root, lgb, name, params, target):
    rng = np.random.default_rng(SEED)
    x, y = table(rng, 1500)
    params = dict(params, seed=SEED, num_threads=1, verbose=-1, min_data_in_leaf=10, min_data_per_group=5, cat_smooth=1.0)
    booster = lgb.train(params, lgb.Dataset(x, target(y), categorical_feature=[4, 5], free_raw_data=False), 9)
    rows = odd_rows(x)
    expected = dict(margin=booster.predict(rows, raw_score=True), prediction=booster.predict(rows), leaf=booster.predict(rows, pred_leaf=True),
                    contribs=np.reshape(booster.predict(rows[:SHAP_ROWS], pred_contrib=True), (SHAP_ROWS, -1)))
    names = booster.feature_name()
    folder = put(root, "lightgbm-" + lgb.__version__, name, names, rows, expected, lightgbm_meta(lgb, params))
    booster.save_model(os.path.join(folder, "model.txt"))


def lightgbm_words(root, lgb):
    """A data frame with categories: the model file has their words, the rows their codes."""
    import pandas as pd
    rng = np.random.default_rng(SEED)
    x, y = table(rng, 1500)
    words = np.array(["rent", "own", "free", "with parents", "\u00f6ther"])
    frame = pd.DataFrame(dict(a=x[:, 0], b=x[:, 1], c=x[:, 2], d=x[:, 3], housing=pd.Categorical(words[x[:, 4].astype(int)]),
                              region=pd.Categorical(x[:, 5].astype(int) * 10)))
    params = dict(objective="multiclassova", num_class=3, sigmoid=1.7, num_leaves=7, seed=SEED, num_threads=1, verbose=-1, min_data_per_group=5, cat_smooth=1.0)
    booster = lgb.train(params, lgb.Dataset(frame, np.digitize(y, (-0.5, 0.5)), free_raw_data=False), 6)
    head = frame[:ROWS]
    rows = np.column_stack([head[c].cat.codes if c in ("housing", "region") else head[c] for c in frame.columns]).astype(float)
    expected = dict(margin=booster.predict(head, raw_score=True), prediction=booster.predict(head), leaf=booster.predict(head, pred_leaf=True),
                    contribs=booster.predict(head[:SHAP_ROWS], pred_contrib=True))
    folder = put(root, "lightgbm-" + lgb.__version__, "words", list(frame.columns), rows, expected, lightgbm_meta(lgb, params))
    booster.save_model(os.path.join(folder, "model.txt"))


def catboost_words(root, cb, name, params, classes):
    """Words of categories in one-hot splits; the rows have their codes, which are places in cat_features_hash."""
    rng = np.random.default_rng(SEED)
    x, y = table(rng, 1500)
    x = x.astype(np.float32)
    words = np.array(["rent", "own", "free", "with parents", "other"])
    cells = [[float(v) for v in r[:4]] + [words[int(r[4])], str(int(r[5]) % 6)] for r in x]
    names = ["a", "b", "c", "d", "housing", "region"]
    pool = cb.Pool(cells, np.digitize(y, classes), cat_features=[4, 5], feature_names=names)
    params = dict(params, iterations=6, one_hot_max_size=10, random_seed=SEED, thread_count=1, verbose=False, allow_writing_files=False)
    model = cb.CatBoost(params).fit(pool)
    head = cells[:ROWS]
    ask = cb.Pool(head, cat_features=[4, 5], feature_names=names)
    few = cb.Pool(head[:SHAP_ROWS], cat_features=[4, 5], feature_names=names)
    expected = dict(margin=model.predict(ask, prediction_type="RawFormulaVal"), prediction=model.predict(ask, prediction_type="Probability"),
                    leaf=model.calc_leaf_indexes(ask), contribs=model.get_feature_importance(few, type="ShapValues"))
    meta = dict(library="catboost", version=cb.__version__, files=["model.json"], input_type="float32", output_type="float64", params=params,
                equal=dict(margin="1e-12 relative", prediction="1e-12", leaf="exact", contribs="1e-6"))
    path = os.path.join(root, "words.json")
    model.save_model(path, format="json", pool=pool)
    with open(path) as text:
        document = json.load(text)
    os.remove(path)
    order = [entry["value"] for entry in document["features_info"]["cat_features_hash"]]
    rows = np.array([r[:4] + [order.index(r[4]), order.index(r[5])] for r in head])
    folder = put(root, "catboost-" + cb.__version__, name, names, rows, expected, meta)
    with open(os.path.join(folder, "model.json"), "w") as out:
        json.dump(document, out)
        out.write("\n")


def main(root):
    try:
        import lightgbm as lgb
        thirds = lambda y: np.digitize(y, (-0.5, 0.5))
        if lgb.__version__ == "2.2.3":
            lightgbm_numbers(root, lgb, "multiclass", dict(objective="multiclass", num_class=3, num_leaves=7), thirds)
            lightgbm_numbers(root, lgb, "rf", dict(objective="binary", boosting="rf", bagging_fraction=0.6, bagging_freq=1, num_leaves=9), lambda y: (y > 0) * 1)
        elif lgb.__version__ == "3.0.0":
            lightgbm_numbers(root, lgb, "zero", dict(objective="poisson", zero_as_missing=True, num_leaves=9), lambda y: np.exp(y))
        else:
            lightgbm_words(root, lgb)
    except ImportError:
        print("lightgbm is not installed")
    try:
        import catboost as cb
        catboost_words(root, cb, "one_hot", dict(loss_function="Logloss", depth=4), (0,))
        catboost_words(root, cb, "one_hot_nested", dict(loss_function="MultiClass", grow_policy="Lossguide", max_leaves=8, min_data_in_leaf=10), (-0.5, 0.5))
    except ImportError:
        print("catboost is not installed")


if __name__ == "__main__":
    main(sys.argv[1])
