"""What the suites' halves in MLflow's own environment share; imported before mlflow, whose client it makes quiet and quick to fail."""
import os
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # a 5xx is to be seen, not repeated
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
import mlflow  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

THREE = mlflow.__version__.startswith("3")


def check(holds, words=""):
    if not holds:
        raise AssertionError(words)


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except MlflowException as error:
        check(error.error_code == code, f"{error.error_code}: {error}")
        return str(error)
    raise AssertionError(f"{call.__name__} was not refused")
