"""docs/api.yaml taken at its word: schemathesis asks every operation, as somebody who may do all there is, and no answer is a server error.

A short look; AX_LONG=1, as in make check's lane surface, makes it a minute for each person.
"""
import os
import re
import shutil
import subprocess

from harness import ROOT, SCRATCH, Copy, Skip, check, run_suite

SCHEMATHESIS = ROOT / ".deps" / "schemathesis" / "bin" / "schemathesis"
LONG = bool(os.environ.get("AX_LONG"))
SECONDS = 60 if LONG else 8


def ask(bank, person, *options):
    if not SCHEMATHESIS.exists():
        raise Skip("schemathesis is not in .deps: tools/setup tests")
    done = subprocess.run([SCHEMATHESIS, "run", ROOT / "docs" / "api.yaml", "--url", bank.server.url, "--checks", "not_a_server_error",
                           "--header", f"Authorization: Bearer {person.token}", "--seed", "1", "--no-color", "--continue-on-failure",
                           "--suppress-health-check", "all", "--warnings", "off",
                           "--exclude-path-regex", r"^/v2/repository/\{repository\}/", *options],  # named repositories: 501, as Triton's
                          capture_output=True, text=True, timeout=600, cwd=SCRATCH)
    shutil.rmtree(SCRATCH / ".schemathesis", ignore_errors=True)
    asked = re.search(r"(\d+) generated", done.stdout)
    check(done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:])
    check(asked and int(asked[1]) > (100 if LONG else 10), done.stdout[-1000:])
    check(bank.loans.http("GET", "/readyz")[0] == 200, "the server is not ready any more")


def test_no_server_error_for_an_administrator():
    with Copy() as bank:
        ask(bank, bank.admin, "--phases", "coverage,fuzzing", "--max-time", str(SECONDS))


def test_no_server_error_for_a_developer():
    with Copy() as bank:
        ask(bank, bank.dana, "--phases", "coverage,fuzzing", "--max-time", str(SECONDS))


if __name__ == "__main__":
    run_suite(globals())
