"""Where manifests of error sheets are kept: in the project's store, or beside the sheet if there is no project."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlproj.error_analysis import Manifest
from mlproj.error_analysis.recover import Names
from mlproj.records.whole import whole_file
from mlproj.spec.project import Project

SUFFIX = ".sheet.json"
_LOOKED_AT = 200
"""Ids by which a sheet without its token is known."""
_FEWEST_KNOWN = 0.5


@dataclass(frozen=True)
class Shelf:
    """The folders in which manifests lie.

    Attributes:
        folders: Where to look, in order.
    """

    folders: tuple[Path, ...]

    def keep(self, manifest: Manifest) -> Path:
        """Writes a manifest into the first folder; a half-written one is never found."""
        folder = self.folders[0]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{manifest.sheet}{SUFFIX}"
        with whole_file(path) as place:
            place.write_text(json.dumps(manifest.to_json(), ensure_ascii=True, allow_nan=False), encoding="ascii")
        return path

    def find(self, token: str, ids: Sequence[str]) -> Manifest | None:
        """The manifest of a sheet by its token, else the one that knows most of its ids and fewest others."""
        found = self.all()
        if token:
            return next((manifest for manifest in found if manifest.sheet == token), None)
        n = len(set(ids))
        known = [(_share_known(m, ids), -abs(len(m.examples) - n), m.created, m) for m in found]
        fitting = [entry for entry in known if entry[0] >= _FEWEST_KNOWN]
        return max(fitting, key=lambda entry: entry[:3])[3] if fitting else None

    def all(self) -> list[Manifest]:
        """Every manifest that can be read, newest first."""
        found: dict[str, Manifest] = {}
        for folder in self.folders:
            for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
                try:
                    manifest = Manifest.from_json(json.loads(path.read_text(encoding="utf-8")))
                except (OSError, ValueError, KeyError, TypeError):
                    continue  # somebody else's file, or a damaged one: the sheet will say that nothing is known of it
                found.setdefault(manifest.sheet, manifest)
        return sorted(found.values(), key=lambda manifest: -manifest.created)


def _share_known(manifest: Manifest, ids: Sequence[str]) -> float:
    """Share of some ids that a manifest knows, as they are or as a spreadsheet changed them."""
    some = list(dict.fromkeys(ids))[:_LOOKED_AT]
    names = Names(manifest.examples)
    return sum(len(names.find(name)) == 1 for name in some) / max(len(some), 1)


def shelf_of(project: Project | None, beside: Sequence[Path] = ()) -> Shelf:
    """Where the manifests of a project lie; those beside the sheets themselves are found too.

    Args:
        project: The project around; None when there is none.
        beside: The sheets.
    """
    folders = list(dict.fromkeys(path.parent for path in beside))
    if project is None:
        return Shelf((*folders, *([] if Path() in folders else [Path()])))
    from mlproj.track import store_for

    return Shelf((store_for(project).root / "sheets", *folders))
