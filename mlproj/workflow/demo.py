"""`mlproj demo`: two bundled projects from nothing to a search, a ladder and a verdict, offline."""

import runpy
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlproj.workflow.diagnose import Diagnosis, diagnose_bias_variance
from mlproj.workflow.search import Searched, search

PROJECTS = ("digits", "blurry-digits")


@dataclass(frozen=True)
class Shown:
    """One project of the demo, searched and diagnosed."""

    folder: Path
    searched: Searched
    diagnosis: Diagnosis

    @property
    def about(self) -> str:
        """What the project is."""
        return self.searched.project.about or self.searched.project.name

    @property
    def text(self) -> str:
        """The ladder with its verdict and next command."""
        return self.diagnosis.text(brief=True)

    def document(self) -> dict[str, Any]:
        """Search and diagnosis as JSON."""
        return {"project": str(self.folder), "search": self.searched.document(), "diagnosis": self.diagnosis.document()}


def demo(folder: Path = Path("mlproj-demo")) -> Iterator[Shown]:
    """Search two bundled projects offline and show the ladder of each best model, its verdict and the next command.

    Args:
        folder: Where the projects are put; what lies there already is used as it is.

    Yields:
        Each project once it is diagnosed.
    """
    for name in PROJECTS:
        home = folder / name
        prepare(name, home)
        searched = search(home, new=True)
        yield Shown(home, searched, diagnose_bias_variance(searched.run, project=home))


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
