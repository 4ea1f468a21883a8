"""libaxiom and the Python package as others use them: installed, compiled against, imported."""
import json
import os
import shutil
import subprocess
import sys
import textwrap

from harness import AXIOM, ROOT, SCRATCH, SHARED, Skip, check, contains, run, run_suite

BUILD = AXIOM.parent
SMALL = ROOT / "tests" / "model" / "small" / "xgboost.json"
ROW = ("41", "1200.5", "1")


def installed():
    """The library where `meson install` would put it, below a folder of our own."""
    prefix = SCRATCH / "installed"
    if not prefix.exists():
        code, out, err = run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", prefix)
        check(code == 0, f"{out}{err}")
    return prefix


def test_the_example_compiles_against_what_is_installed_and_scores():
    prefix = installed()
    description = next(prefix.rglob("axiom.pc"))
    environment = dict(os.environ, PKG_CONFIG_PATH=str(description.parent), PKG_CONFIG_SYSROOT_DIR=str(prefix))
    code, flags, err = run("pkg-config", "--cflags", "--libs", "axiom", env=environment)
    check(code == 0, err)
    program = SCRATCH / "score_row"
    code, out, err = run(os.environ.get("CC", "cc"), ROOT / "examples" / "score_row.c", "-o", program, *flags.split())
    check(code == 0, f"{flags}{out}{err}")
    library = next(prefix.rglob("libaxiom.so.0")).parent
    code, out, err = run(program, SMALL, *ROW, env=dict(os.environ, LD_LIBRARY_PATH=str(library)))
    check(code == 0, err)
    table = SCRATCH / "row.csv"
    table.write_text("age,income,job\n" + ",".join(ROW) + "\n")
    code, scored, err = run(AXIOM, "score", "--model", SMALL, "--input", table)
    check(code == 0, err)
    response = float(scored.splitlines()[1])
    check(abs(float(out.splitlines()[0].split()[1]) - response) < 1e-7, f"{out} against {scored}")
    contains(out, "age ", "income ", "job ")


def test_the_library_exports_its_header_and_nothing_else():
    names = subprocess.run(["nm", "-D", "--defined-only", BUILD / "libaxiom.so.0"], capture_output=True, text=True, check=True).stdout
    exported = {line.split()[-1] for line in names.splitlines()}
    header = (ROOT / "include" / "axiom.h").read_text()
    check(exported and all(name.startswith("axiom_") and f"{name}(" in header for name in exported), f"{sorted(exported)}")


def python_package():
    """The wheel, unpacked where a test can import it."""
    folder = SCRATCH / "package"
    if not folder.exists():
        code, wheel, err = run(sys.executable, ROOT / "tools" / "python-package", BUILD)
        check(code == 0, err)
        shutil.unpack_archive(wheel.strip(), folder, "zip")
    return folder


def in_python(program, *arguments):
    code, out, err = run(sys.executable, "-c", textwrap.dedent(program), *arguments, env=dict(os.environ, PYTHONPATH=str(python_package())))
    check(code == 0, f"{out}{err}")
    return out


def test_python_gives_the_golden_answers():
    cases = [path.parent for path in sorted((ROOT / "tests" / "model").glob("*/*/expected.json"))]
    models = SHARED / "models"
    cases += [path.parent for path in sorted(models.glob("*/*/expected.json"))]  # all of them, where they are
    check(len(cases) >= 5, "the golden models are not there")
    out = in_python("""
        import json, pathlib, sys
        import numpy, axiom_engine
        done = 0
        for name in sys.argv[1:]:
            case = pathlib.Path(name)
            files = [case / one for one in ("model.ubj", "model.json", "model.txt") if (case / one).exists()]
            if not files or "onnx" in case.parts:
                continue
            meta, expected = (json.loads((case / one).read_text()) for one in ("meta.json", "expected.json"))
            lines = (case / "input.csv").read_text().splitlines()[1:]
            rows = numpy.array([[float(cell) if cell.strip('"') else numpy.nan for cell in line.split(",")] for line in lines])
            model = axiom_engine.Model.load(files[0])
            if rows.shape[1] != len(model.signature.features) or expected.get("margin") is None:
                continue
            if model.signature.kind == "trees" and model.signature.tree_count == 0:
                continue  # a fault of XGBoost 3.2: its margin of no trees is the probability
            want = numpy.array([[numpy.nan if value is None else value for value in numpy.ravel(row)] for row in expected["margin"]], float)
            missing = meta.get("missing")
            got = model.margin(rows, missing=missing if isinstance(missing, (int, float)) else None).reshape(len(rows), -1)
            close = 1e-12 if "catboost" in str(case) else 0  # its own library adds in another order
            kind = model.signature.dtype
            assert numpy.allclose(got.astype(kind), want.astype(kind), rtol=close, atol=close, equal_nan=True), case
            done += 1
        print(done)
        """, *cases)
    check(int(out) >= 5, f"only {out} cases were compared")


def test_python_takes_arrays_and_frames_as_they_lie():
    in_python("""
        import sys, threading
        import numpy, pandas, axiom_engine
        model = axiom_engine.Model.load(sys.argv[1])
        words = model.signature.features[2].categories
        rows = numpy.array([[41, 1200.5, 1], [20, 100, 0], [numpy.nan, 5, 2]])
        want = model.predict(rows)
        for allowed in ({"machine_code": True}, {"leaf_masks": True}, {"machine_code": True, "leaf_masks": True}):
            assert numpy.array_equal(axiom_engine.Model.load(sys.argv[1], **allowed).predict(rows), want), allowed
            with open(sys.argv[1], "rb") as file:
                assert numpy.array_equal(axiom_engine.Model(file.read(), **allowed).predict(rows), want), allowed
        assert want.shape == (3,) and model.contributions(rows).shape == (3, 4)
        for same in (rows.astype(numpy.float32), numpy.asfortranarray(rows), numpy.repeat(rows, 2, axis=0)[::2], rows.tolist(),
                     rows.astype(">f8"), numpy.flip(rows, axis=0)[::-1]):
            assert numpy.array_equal(model.predict(same), want), same
        assert numpy.array_equal(model.predict(rows[::-1]), want[::-1])
        frame = pandas.DataFrame({"job": [words[1], words[0], words[2]], "age": [41, 20, None], "income": [1200.5, 100, 5], "more": 0})
        assert numpy.array_equal(model.predict(frame), want)
        assert numpy.array_equal(model.predict(pandas.DataFrame(rows, columns=["age", "income", "job"])), want)
        assert model.leaf(rows).dtype == numpy.int32
        against = model.contributions(rows[:2], references=rows[1:2])
        assert abs(against[1, :3]).max() == 0 and abs(against.sum(axis=1) - model.margin(rows[:2])).max() < 1e-5
        pairs = model.interactions(rows)
        assert pairs.shape == (3, 4, 4) and numpy.array_equal(pairs, pairs.transpose(0, 2, 1))
        assert abs(pairs.sum(axis=2) - model.contributions(rows)).max() < 1e-12
        assert model.predict(rows[:0]).shape == (0,)
        for wrong, said in ((rows[:, :2], "expected (rows, 3)"), (frame.drop(columns="age"), "'age'")):
            try:
                model.predict(wrong)
            except axiom_engine.AxiomError as error:
                assert said in str(error), error
            else:
                raise AssertionError(said)
        try:
            axiom_engine.Model(b"{}")
        except axiom_engine.AxiomError as error:
            assert "learner" in str(error)
        results = []
        threads = [threading.Thread(target=lambda: results.append(numpy.array_equal(model.predict(rows), want))) for _ in range(8)]
        [one.start() for one in threads], [one.join() for one in threads]
        assert results == [True] * 8
        """, SMALL)


def test_python_agrees_with_xgboost_itself():
    models = SHARED / "models" / "xgboost-3.2.0"
    try:
        import xgboost  # noqa: F401
    except ImportError:
        raise Skip("xgboost is not installed; the golden answers stand for it") from None
    check(models.exists(), "golden models")
    in_python("""
        import pathlib, sys
        import numpy, xgboost, axiom_engine
        case = pathlib.Path(sys.argv[1]) / "binary_d6x100"
        booster = xgboost.Booster(model_file=str(case / "model.json"))
        model = axiom_engine.Model.load(case / "model.json")
        rows = numpy.random.default_rng(7).normal(size=(500, len(model.signature.features))).astype(numpy.float32)
        assert numpy.array_equal(booster.predict(xgboost.DMatrix(rows, feature_names=booster.feature_names), output_margin=True),
                                 model.margin(rows).astype(numpy.float32))
        """, models)


if __name__ == "__main__":
    run_suite(globals())
