"""`mlproj demo`: two bundled projects from nothing to a verdict, offline."""

import runpy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlproj.workflow.diagnose import Diagnosis, diagnose_bias_variance
from mlproj.workflow.train import Trained, train

PROJECTS = ("digits", "blurry-digits")


@dataclass(frozen=True)
class Shown:
    """One project of the demo, trained and diagnosed."""

    folder: Path
    trained: Trained
    diagnosis: Diagnosis

    @property
    def title(self) -> str:
        """What the project is, and how the training ended."""
        return f"== {self.folder} · {self.trained.project.about}\n{self.diagnosis.head}"

    @property
    def text(self) -> str:
        """The ladder with its verdict and next command."""
        return self.diagnosis.text(brief=True)

    def document(self) -> dict[str, Any]:
        """Training and diagnosis as JSON."""
        return {"project": str(self.folder), "train": self.trained.document(), "diagnosis": self.diagnosis.document()}


def demo(folder: Path = Path("mlproj-demo")) -> Iterator[Shown]:
    """Train two bundled projects offline and show each ladder, verdict and next command.

    Args:
        folder: Where the projects are put; what lies there already is used as it is.

    Yields:
        Each project once it is diagnosed.
    """
    for name in PROJECTS:
        home = folder / name
        prepare(name, home)
        trained = train(home)
        yield Shown(home, trained, diagnose_bias_variance(trained.run, project=home))


def prepare(name: str, home: Path) -> None:
    """Copies a bundled project to `home` and generates its data, unless they are there already."""
    source = bundled_projects() / name
    home.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.iterdir()):
        if file.suffix in (".yaml", ".py", ".md") and not (home / file.name).exists():
            shutil.copyfile(file, home / file.name)
    generator = home / "make_data.py"
    if generator.exists() and not any(home.glob("*.csv")):
        runpy.run_path(str(generator))["generate"](home)


def bundled_projects() -> Path:
    """The folder of worked projects: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "projects"
    return inside if inside.is_dir() else package.parent / "projects"
