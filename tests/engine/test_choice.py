"""Which engine it is, and when a server starts to import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlproj
from mlproj.data import Dataset
from mlproj.engine import Here, Pool, cpu_count, make_engine, warm_up
from mlproj.engine.server import _waiting, end_waiting
from mlproj.errors import InvalidInput


@pytest.mark.parametrize(
    ("name", "workers", "kind"),
    [("auto", 1, Here), ("auto", 2, Pool), ("process", 1, Pool), ("process", None, Pool)],
)
def test_one_worker_needs_no_pool_unless_asked_for(
    name: str, workers: int | None, kind: type[object], dataset: Dataset
) -> None:
    with make_engine(name, dataset, workers) as engine:
        assert isinstance(engine, kind)
        assert engine.workers == (workers or cpu_count())


def test_what_cannot_be_is_refused_in_one_go(dataset: Dataset) -> None:
    with pytest.raises(
        InvalidInput, match=r"--engine: 'ray' is not known; auto, fleet and process are(?s:.*)--workers: 0 is no"
    ):
        make_engine("ray", dataset, 0)


def test_a_server_that_was_warmed_up_is_the_pools(dataset: Dataset) -> None:
    warm_up("auto", 1)
    assert not _waiting
    warm_up("auto", 2)
    warm_up()
    (server,) = _waiting
    with Pool(dataset, workers=1) as pool:
        assert pool._server is server
        assert not _waiting


def test_a_server_that_nobody_needs_is_ended(dataset: Dataset) -> None:
    warm_up()
    (server,) = _waiting
    make_engine("auto", dataset, 1)
    assert server._process.returncode is not None
    end_waiting()


def test_handing_out_jobs_imports_no_torch(tmp_path: Path) -> None:
    program = "import sys; from mlproj.engine import warm_up; print({'torch', 'pandas', 'joblib'} & set(sys.modules))"
    found = os.environ | {"PYTHONPATH": str(Path(mlproj.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", program], env=found, capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr
