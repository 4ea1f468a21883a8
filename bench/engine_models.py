#!/usr/bin/env python3
"""The models and rows that bench/engine measures, in one folder: those of ../shared where they are, else trained here once.

usage: engine_models.py FOLDER MODEL...

MODEL is a shape: g31x100 (100 trees of 31 leaves), d6x100 (of depth 6), g64x500 or g255x1000. Each is there as LightGBM text
(.lgb.txt), XGBoost UBJSON (.xgb.ubj), CatBoost's oblivious trees (.cbm, and as JSON for Axiom), and LightGBM's trees again as
ONNX (.onnx). linear.json and linear.onnx are a logistic regression, scorecard.json one over eight bins a column, pipeline.onnx a scaler before one, mlp.onnx a scaler before a
network of 23-64-32-1 as scikit-learn's converter writes it. What a missing library would have made is left out.
"""
import csv
import json
import pathlib
import shutil
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "models" / "bench"
SHAPES = {  # leaves, depth, trees, learning rate, depth of CatBoost's
    "g31x100": (31, -1, 100, 0.1, 5), "d6x100": (64, 6, 100, 0.1, 6), "g64x500": (64, -1, 500, 0.05, 6), "g255x1000": (255, -1, 1000, 0.02, 8)}
ROWS, TRAINING_ROWS, COLUMNS, SEED = 10_000, 30_000, 23, 20261123


def table():
    """Numbers as a lender's are: amounts, codes, months late; and who did not pay back."""
    dice = numpy.random.default_rng(SEED)
    amounts = numpy.exp(dice.normal(9, 1.3, (TRAINING_ROWS, 13))).round(0)
    codes = dice.integers(0, 6, (TRAINING_ROWS, 4)).astype(float)
    late = (dice.poisson(0.7, (TRAINING_ROWS, 6)) - 1).astype(float)
    rows = numpy.hstack([amounts, codes, late])
    risk = late.sum(axis=1) * 0.5 - numpy.log(amounts[:, 0]) + 0.3 * codes[:, 1] * (late[:, 0] > 0) + dice.normal(8, 1.5, TRAINING_ROWS)
    return rows, (risk > numpy.quantile(risk, 0.78)).astype(int)


def shared_rows():
    with (SHARED / "rows.csv").open() as file:
        return numpy.array([[float(cell) if cell else numpy.nan for cell in row] for row in list(csv.reader(file))[1:]])


class Folder:
    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        rows = path / "rows.npy"
        if not rows.exists():
            numpy.save(rows, shared_rows() if SHARED.exists() else table()[0][:ROWS])
        self.rows = numpy.load(rows)
        if not (path / "rows.csv").exists():
            names = ",".join(f"c{number}" for number in range(self.rows.shape[1]))
            numpy.savetxt(path / "rows.csv", self.rows, delimiter=",", header=names, comments="", fmt="%.17g")

    def make(self, name, function):
        """The file as ../shared has it, or made; without a word when its library is not there."""
        path = self.path / name
        if path.exists():
            return
        if (SHARED / name).exists():
            shutil.copyfile(SHARED / name, path)
            return
        try:
            function(path)
        except ImportError as why:
            print(f"{name} is not made: {why}", file=sys.stderr)

    def training(self):
        """Rows like those that are scored, with an answer that depends on them."""
        rows, answers = table()
        if SHARED.exists():
            data = SHARED.parent.parent / "data" / "credit_default.csv"
            with data.open() as file:
                lines = list(csv.reader(file))
            cells = numpy.array(lines[1:], float)
            rows, answers = cells[:, 1:-1], cells[:, -1].astype(int)
        return rows, answers

    def shape(self, name):
        leaves, depth, trees, rate, oblivious = SHAPES[name]

        def lightgbm(path):
            import lightgbm as library
            rows, answers = self.training()
            parameters = dict(objective="binary", num_leaves=leaves, max_depth=depth, learning_rate=rate, min_data_in_leaf=5, min_sum_hessian_in_leaf=0.0,
                              seed=SEED, deterministic=True, force_row_wise=True, num_threads=1, verbose=-1)
            library.train(parameters, library.Dataset(rows, answers, params=parameters), trees).save_model(str(path))

        def xgboost(path):
            import xgboost as library
            rows, answers = self.training()
            parameters = dict(objective="binary:logistic", tree_method="hist", eta=rate, seed=SEED, nthread=1, min_child_weight=0.1)
            parameters.update(dict(max_depth=6) if depth == 6 else dict(grow_policy="lossguide", max_leaves=leaves, max_depth=0))
            library.train(parameters, library.DMatrix(rows.astype("f4"), answers), trees).save_model(str(path))

        def catboost(path):
            import catboost as library
            rows, answers = self.training()
            model = library.CatBoostClassifier(iterations=trees, depth=oblivious, learning_rate=rate, random_seed=SEED, thread_count=1,
                                               verbose=False, allow_writing_files=False)
            model.fit(rows, answers)
            model.save_model(str(path))

        def catboost_json(path):
            import catboost as library
            model = library.CatBoostClassifier()
            model.load_model(str(self.path / f"{name}.cbm"))
            model.save_model(str(path), format="json")

        self.make(f"{name}.lgb.txt", lightgbm)
        self.make(f"{name}.xgb.ubj", xgboost)
        self.make(f"{name}.cbm", catboost)
        self.make(f"{name}.cat.json", catboost_json)
        self.make(f"{name}.onnx", lambda path: trees_to_onnx(self.path / f"{name}.lgb.txt", path))

    def linear(self):
        """Axiom's own form; ../shared has weights alone."""
        path, given = self.path / "linear.json", SHARED / "linear.json"
        if given.exists():
            known = json.loads(given.read_text())
            weights, bias = known["weights"], known["bias"]
        else:
            rows, answers = self.training()
            weights, bias = regression(rows, answers)
        if not path.exists():
            terms = [dict(name=f"c{number}", type="numeric", coefficient=weight, mean=0, missing={"value": 0}) for number, weight in enumerate(weights)]
            path.write_text(json.dumps(dict(format="axiom.linear", version=1, link="logistic", intercept=bias, terms=terms)))
        self.make("scorecard.json", lambda path: scorecard(self.rows, weights, path))
        self.make("linear.onnx", lambda path: linear_to_onnx(weights, bias, path))
        self.make("pipeline.onnx", lambda path: pipeline_to_onnx(weights, bias, self.rows, path))
        self.make("mlp.onnx", lambda path: mlp_to_onnx(self.rows, path))


def regression(rows, answers):
    """Logistic regression by gradient descent: good enough to be scored."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scaled, weights, bias = (rows - mean) / scale, numpy.zeros(rows.shape[1]), 0.0
    for _ in range(200):
        error = 1 / (1 + numpy.exp(-(scaled @ weights + bias))) - answers
        weights -= scaled.T @ error / len(rows)
        bias -= error.mean()
    return (weights / scale).tolist(), float(bias - (weights * mean / scale).sum())


def rounded_down(threshold):
    """For a float x, x <= threshold says the same as x <= this float."""
    narrow = numpy.float32(threshold)
    return float(narrow if float(narrow) <= threshold else numpy.nextafter(narrow, numpy.float32(-numpy.inf)))


def save_onnx(nodes, columns, path, constants=None):
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    tensors = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "model", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", columns])],
                              [helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
                               helper.make_tensor_value_info("p", TensorProto.FLOAT, ["rows", 2])], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8), str(path))


def trees_to_onnx(source, path):
    """LightGBM's numeric trees as a TreeEnsembleClassifier, nodes in preorder."""
    import lightgbm
    from onnx import helper
    model = lightgbm.Booster(model_file=str(source)).dump_model()
    nodes, leaves = [], []

    def add(tree, node, first):
        place = len(nodes)
        number = place - first
        nodes.append(None)
        if "leaf_value" in node:
            nodes[place] = (tree, number, 0, "LEAF", 0.0, 0, 0)
            leaves.append((tree, number, float(node["leaf_value"])))
            return number
        yes, no = add(tree, node["left_child"], first), add(tree, node["right_child"], first)
        nodes[place] = (tree, number, node["split_feature"], "BRANCH_LEQ", rounded_down(node["threshold"]), yes, no)
        return number
    for tree, one in enumerate(model["tree_info"]):
        add(tree, one["tree_structure"], len(nodes))
    trees, numbers, features, modes, values, yes, no = (list(column) for column in zip(*nodes))
    save_onnx([helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", classlabels_int64s=[0, 1], post_transform="LOGISTIC",
                               nodes_treeids=trees, nodes_nodeids=numbers, nodes_featureids=features, nodes_modes=modes, nodes_values=values,
                               nodes_truenodeids=yes, nodes_falsenodeids=no, nodes_missing_value_tracks_true=[0] * len(nodes),
                               class_treeids=[leaf[0] for leaf in leaves], class_nodeids=[leaf[1] for leaf in leaves], class_ids=[1] * len(leaves),
                               class_weights=[leaf[2] for leaf in leaves])], model["max_feature_idx"] + 1, path)


def logistic_node(weights, bias, source):
    from onnx import helper
    return helper.make_node("LinearClassifier", [source], ["label", "p"], domain="ai.onnx.ml", coefficients=[-one for one in weights] + list(weights),
                            intercepts=[-bias, bias], classlabels_ints=[0, 1], multi_class=0, post_transform="LOGISTIC")


def scaler_node(rows, target):
    from onnx import helper
    mean, scale = numpy.nanmean(rows, axis=0), numpy.nanstd(rows, axis=0)
    scale[scale == 0] = 1
    return helper.make_node("Scaler", ["x"], [target], domain="ai.onnx.ml", offset=mean.tolist(), scale=(1 / scale).tolist()), mean, scale


def linear_to_onnx(weights, bias, path):
    save_onnx([logistic_node(weights, bias, "x")], len(weights), path)


def pipeline_to_onnx(weights, bias, rows, path):
    scaler, mean, scale = scaler_node(rows, "scaled")
    bias += float((numpy.array(weights) * mean).sum())
    save_onnx([scaler, logistic_node((numpy.array(weights) * scale).tolist(), bias, "scaled")], len(weights), path)


def scorecard(rows, weights, path):
    """Bins of about equally many rows; what they are worth is made up."""
    characteristics = []
    for number, weight in enumerate(weights):
        edges = numpy.unique(numpy.nanquantile(rows[:, number], numpy.arange(1, 8) / 8))
        edges = numpy.concatenate([edges, edges[-1] + numpy.arange(1, 8 - len(edges))])
        bins = [dict(to=float(edge), woe=(place - 3.5) / 7) for place, edge in enumerate(edges)] + [dict(woe=0.5)]
        characteristics.append(dict(name=f"c{number}", type="numeric", coefficient=-1.0 if weight > 0 else 1.0, mean=0, bins=bins, missing={"woe": 0}))
    path.write_text(json.dumps(dict(format="axiom.scorecard", version=1, intercept=-1.25, characteristics=characteristics)))


def mlp_to_onnx(rows, path):
    """Weights are drawn, not trained: what they are changes no time."""
    from onnx import helper
    dice, widths = numpy.random.default_rng(SEED), (rows.shape[1], 64, 32, 1)
    nodes, constants, last = [scaler_node(rows, "scaled")[0]], {}, "scaled"

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output
    for layer, (wide, narrow) in enumerate(zip(widths, widths[1:])):
        constants[f"w{layer}"] = dice.normal(0, (2 / wide) ** 0.5, (wide, narrow)).astype("f4")
        constants[f"b{layer}"] = dice.normal(0, 0.1, (1, narrow)).astype("f4")
        last = node("Add", [node("MatMul", [last, f"w{layer}"], f"m{layer}"), f"b{layer}"], f"a{layer}")
        last = node("Sigmoid" if narrow == 1 else "Relu", [last], f"h{layer}")
    constants.update(one=numpy.array(1, "f4"), classes=numpy.array([0, 1], "i8"), flat=numpy.array([-1], "i8"))
    node("Concat", [node("Sub", ["one", last], "other"), last], "p", axis=1)
    best = node("ArgMax", ["p"], "best", axis=1)
    node("Reshape", [node("ArrayFeatureExtractor", ["classes", best], "picked", domain="ai.onnx.ml"), "flat"], "label")
    save_onnx(nodes, rows.shape[1], path, constants)


def main():
    sys.setrecursionlimit(10_000)
    folder = Folder(pathlib.Path(sys.argv[1]))
    for name in sys.argv[2:]:
        if name == "linear":
            folder.linear()
        else:
            folder.shape(name)


if __name__ == "__main__":
    main()
