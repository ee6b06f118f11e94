"""What the tests of the doctor share: a function that makes a patient."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest
from doctor_patients import MakePatient, clouds

from mlproj.data import load_dataset
from mlproj.data.examine import examine as look_at_data
from mlproj.doctor import Patient
from mlproj.spec.project import Origin, Project
from mlproj.training import resolve

HEADER = "import numpy as np\nimport torch\nfrom torch import nn\n"


@pytest.fixture(autouse=True)
def _short_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the updates: the clouds are learned within so many."""
    monkeypatch.setattr("mlproj.doctor.patient.UPDATES", 80)
    monkeypatch.setattr("mlproj.doctor.checks.overfit_batch._STEPS", 600)
    monkeypatch.setattr("mlproj.doctor.checks.shuffled_labels._SHUFFLES", 4)


@pytest.fixture
def make_patient(tmp_path: Path) -> MakePatient:
    """A function (frame, code=…, **sections of project.yaml) -> patient; `code` becomes the module `nets`."""

    def make(frame: pd.DataFrame | None = None, *, code: str = "", **sections: Any) -> Patient:
        (clouds() if frame is None else frame).to_csv(tmp_path / "data.csv", index=False)
        if code:
            (tmp_path / "nets.py").write_text(HEADER + dedent(code), encoding="utf-8")
            sections.setdefault("model", {"kind": "python", "factory": "nets:Net"})
        sections.setdefault("model", {"kind": "mlp", "hidden": [16]})
        sections["training"] = {"learning_rate": 0.01} | sections.get("training", {})
        data = {"source": "data.csv", "label": "y"} | sections.pop("data", {})
        sections.setdefault("splits", {"dev": 0.3, "test": 0.1})
        project = Project.model_validate({"name": "small", "data": data} | sections)
        project = project.located(Origin(tmp_path / "project.yaml"))
        dataset = load_dataset(project)
        return Patient(resolve(project, dataset), dataset, look_at_data(project).findings)

    return make
