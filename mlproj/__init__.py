"""mlproj: declarative experiments, and a diagnosis that says what to do next.

Public names are loaded when they are first used, so that `import mlproj` costs nothing. Each command of the program has
a twin of the same name and options here, with objects in place of paths:

    import mlproj

    project = mlproj.load_project("project.yaml")
    run = mlproj.train(project, set=["training.learning_rate=0.01"])
    print(mlproj.diagnose_bias_variance(run).text())
"""

from typing import TYPE_CHECKING

from mlproj.lazy import names_of

if TYPE_CHECKING:
    from mlproj.doctor.gradient import gradient_check as gradient_check
    from mlproj.errors import InputError as InputError
    from mlproj.errors import InvalidInput as InvalidInput
    from mlproj.errors import MlprojError as MlprojError
    from mlproj.errors import Problem as Problem
    from mlproj.errors import RunNotFound as RunNotFound
    from mlproj.errors import SealedSplit as SealedSplit
    from mlproj.errors import TrackingError as TrackingError
    from mlproj.spec.load import load_project as load_project
    from mlproj.spec.project import Project as Project
    from mlproj.workflow.arrays import load_split as load_split
    from mlproj.workflow.compare import compare as compare
    from mlproj.workflow.contract import check_metric as check_metric
    from mlproj.workflow.demo import demo as demo
    from mlproj.workflow.diagnose import diagnose_bias_variance as diagnose_bias_variance
    from mlproj.workflow.diagnose_features import diagnose_features as diagnose_features
    from mlproj.workflow.doctor import diagnose_doctor as diagnose_doctor
    from mlproj.workflow.errors_apply import errors_apply as errors_apply
    from mlproj.workflow.errors_export import errors_export as errors_export
    from mlproj.workflow.errors_summarize import errors_summarize as errors_summarize
    from mlproj.workflow.evaluate import evaluate as evaluate
    from mlproj.workflow.foreign import record as record
    from mlproj.workflow.learning_curve import diagnose_learning_curve as diagnose_learning_curve
    from mlproj.workflow.mismatch import diagnose_mismatch as diagnose_mismatch
    from mlproj.workflow.predict import predict as predict
    from mlproj.workflow.project import check as check
    from mlproj.workflow.project import init as init
    from mlproj.workflow.project import model as model
    from mlproj.workflow.project import schema as schema
    from mlproj.workflow.project import split as split
    from mlproj.workflow.runs import runs as runs
    from mlproj.workflow.runs import ui as ui
    from mlproj.workflow.search import search as search
    from mlproj.workflow.train import train as train

__version__ = "0.1.0"

_HOMES = {
    "InputError": "mlproj.errors",
    "InvalidInput": "mlproj.errors",
    "MlprojError": "mlproj.errors",
    "Problem": "mlproj.errors",
    "Project": "mlproj.spec.project",
    "RunNotFound": "mlproj.errors",
    "SealedSplit": "mlproj.errors",
    "TrackingError": "mlproj.errors",
    "check": "mlproj.workflow.project",
    "check_metric": "mlproj.workflow.contract",
    "compare": "mlproj.workflow.compare",
    "demo": "mlproj.workflow.demo",
    "diagnose_bias_variance": "mlproj.workflow.diagnose",
    "diagnose_learning_curve": "mlproj.workflow.learning_curve",
    "diagnose_doctor": "mlproj.workflow.doctor",
    "diagnose_features": "mlproj.workflow.diagnose_features",
    "diagnose_mismatch": "mlproj.workflow.mismatch",
    "errors_export": "mlproj.workflow.errors_export",
    "errors_summarize": "mlproj.workflow.errors_summarize",
    "errors_apply": "mlproj.workflow.errors_apply",
    "evaluate": "mlproj.workflow.evaluate",
    "gradient_check": "mlproj.doctor.gradient",
    "init": "mlproj.workflow.project",
    "load_project": "mlproj.spec.load",
    "load_split": "mlproj.workflow.arrays",
    "record": "mlproj.workflow.foreign",
    "model": "mlproj.workflow.project",
    "predict": "mlproj.workflow.predict",
    "runs": "mlproj.workflow.runs",
    "schema": "mlproj.workflow.project",
    "search": "mlproj.workflow.search",
    "split": "mlproj.workflow.project",
    "train": "mlproj.workflow.train",
    "ui": "mlproj.workflow.runs",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605  # a list, and one that cannot differ from what is loaded
__getattr__ = names_of(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
