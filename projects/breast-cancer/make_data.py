"""Writes breast_cancer.csv from the table that scikit-learn ships: 569 tumours, 30 measurements each.

Columns: `id`, the measurements of the cell nuclei with readable names (`mean_radius`, `worst_texture`, …) and
`diagnosis`, malignant or benign.

    python make_data.py FOLDER
"""

import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer


def generate(folder: Path) -> Path:
    """Writes breast_cancer.csv.

    Args:
        folder: Where to; made when it is missing.

    Returns:
        The file.
    """
    bunch = load_breast_cancer(as_frame=True)
    table = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
    table.insert(0, "id", [f"tumour-{at:03d}" for at in range(len(table))])
    table["diagnosis"] = bunch.target_names[bunch.target]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "breast_cancer.csv"
    table.to_csv(path, index=False)
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    generate(Path(sys.argv[1]))
