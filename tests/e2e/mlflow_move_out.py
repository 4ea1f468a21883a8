"""Axiom, a directory or a running server, moved into a database that a real MLflow server then serves; in is mlflow_move.py."""
import json
import pathlib
import sqlite3
import subprocess

from harness import AXIOM, Copy, check, run_suite
from mlflow_move import Mlflow, Over, Proxy, axiom, filled, flow, fresh, moved_directory, moved_in, new_database, refused, tree


def moved_out(source, database, artifacts, runs=6):
    done = axiom("export", "mlflow", "--to", f"sqlite:///{database}", "--artifacts", artifacts, "--json", source)
    check(done.returncode == 0, done.stderr)
    report = json.loads(done.stdout)
    check(report["differences"] == 0 and report["runs_checked"] == runs, f"{report}")
    check(not pathlib.Path(f"{database}.part").exists(), "the work folder is left")
    return report


def test_a_directory_is_moved_into_a_database_that_mlflow_serves():
    data, folder = moved_directory(), fresh()
    database = new_database(3, folder)
    report = moved_out(data, database, folder / "artifacts")
    check(report["not_taken_over"] == [] and report["runs"] == 6, f"{report}")
    check(tree(data / "artifacts") == tree(folder / "artifacts"), "the files differ")
    check(sqlite3.connect(database).execute("pragma integrity_check").fetchall() == [("ok",)], "integrity")
    check(sqlite3.connect(database).execute("pragma foreign_key_check").fetchall() == [], "foreign keys")
    with Over(data) as server, Mlflow(3, folder) as target:
        flow("compare", 3, server.url, target.url)
        flow("goes_on", 3, server.url, target.url)


def test_a_running_server_is_moved_into_a_database_that_mlflow_serves():
    folder = fresh()
    database = new_database(3, folder)
    with Over(moved_directory()) as server:
        moved_out(server.url, database, folder / "artifacts")
        with Mlflow(3, folder) as target:
            flow("compare", 3, server.url, target.url)


def test_a_database_of_mlflow_2_takes_all_but_logged_models():
    data, folder = fresh(), fresh()
    moved_in(filled(2).url, data)
    database = new_database(2, folder)
    report = moved_out(data, database, folder / "artifacts")
    check(report["not_taken_over"] == [], f"{report}")
    with Over(data) as server, Mlflow(2, folder) as target:
        flow("compare", 2, server.url, target.url)
    database = new_database(2, fresh())
    report = moved_out(moved_directory(), database, database.parent / "artifacts")
    check(len(report["not_taken_over"]) == 1 and "MLflow 2 has no logged models" in report["not_taken_over"][0], f"{report}")


def test_an_export_that_was_cut_or_killed_is_gone_on_with():
    folder = fresh()
    database = new_database(3, folder)
    before = database.read_bytes()
    command = ["export", "mlflow", "--to", f"sqlite:///{database}", "--artifacts", folder / "artifacts"]
    with Over(moved_directory()) as server, Proxy(server) as proxy:
        for hold_at in (12, 40):
            proxy.asked, proxy.hold_at = 0, hold_at
            proxy.held.clear()
            killed = subprocess.Popen([str(AXIOM), *map(str, command), proxy.url], stderr=subprocess.DEVNULL)
            check(proxy.held.wait(300), "it did not come so far")
            killed.kill()
            killed.wait()
            check(database.read_bytes() == before, "the database is touched before the end")
        refused(*command, moved_directory(), says="another server")  # a server has the directory
        refused(*command, server.url, says="export of something else was cut here")
        proxy.hold_at, proxy.left = None, 8
        refused(*command, proxy.url, says=proxy.url)
        check(database.read_bytes() == before, "the database is touched before the end")
        proxy.left = None
        done = axiom(*command, "--json", proxy.url)
        check(done.returncode == 0, done.stderr)
        report = json.loads(done.stdout)
        check(report["runs_skipped"] > 0 and report["runs_checked"] == 6, f"{report}")
        check(tree(folder / "artifacts") == tree(moved_directory() / "artifacts"), "the files differ")
        back = fresh()
        done = axiom("import", "mlflow", "--from", f"sqlite:///{database}", "--artifacts", folder / "artifacts", back)
        check(done.returncode == 0, done.stderr)
        with Over(back) as other:
            flow("compare", 3, server.url, other.url)


def test_a_governed_directory_shows_mlflow_its_models():
    folder = fresh()
    database = new_database(3, folder)
    with Copy() as bank:
        bank.server.stop()
        moved_out(bank.data, database, folder / "artifacts", runs=0)
        bank.start()
        shown = bank.admin.http("GET", "/api/2.0/mlflow/model-versions/search?max_results=100")[1]["model_versions"]
    there = sqlite3.connect(database).execute("select name, cast(version as text), current_stage from model_versions order by 1, 2").fetchall()
    check(there and there == sorted((one["name"], one["version"], one["current_stage"]) for one in shown), f"{there} {shown}")


def test_a_target_that_holds_other_things_is_refused():
    data, folder = moved_directory(), fresh()
    database = new_database(3, folder)
    command = ["export", "mlflow", "--to", f"sqlite:///{database}", "--artifacts", folder / "artifacts", data]
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "mine").write_text("mine")
    refused(*command, says="holds other things")
    (folder / "artifacts" / "mine").unlink()
    refused("export", "mlflow", "--to", f"sqlite:///{folder}/none.db", data, says="let MLflow make it")
    (folder / "empty.db").touch()
    refused("export", "mlflow", "--to", f"sqlite:///{folder}/empty.db", data, says="MLflow has made no tables")
    refused("export", "mlflow", "--to", "postgresql://x/y", data, says="sqlite:///FILE can")
    refused("export", "mlflow", "--to", f"sqlite:///{database}", fresh(), says="no data directory")
    moved_out(data, database, folder / "artifacts")
    refused("export", "mlflow", "--to", f"sqlite:///{database}", "--artifacts", folder / "other", data, says="it holds 6 runs")
    check(not (folder / "mlflow.db.part").exists(), "a work folder is left")
    no_files = new_database(3, fresh())
    done = axiom("export", "mlflow", "--to", f"sqlite:///{no_files}", data)
    check(done.returncode == 0 and "--artifacts names the folder" in done.stderr, done.stderr)


if __name__ == "__main__":
    run_suite(globals())
