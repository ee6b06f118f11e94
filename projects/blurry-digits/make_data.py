"""Writes the data of this project: crisp digits to train on, and digits as from a phone camera to be good at.

The 1,797 images of handwritten digits that scikit-learn ships (8 × 8 pixels, grey levels from 0 to 16) are shuffled and
cut in two. The first part is written as it is: `crisp.csv`, plentiful, but not what the product will meet. Each image
of the second part is photographed once, with the flaws of a hand-held phone: `phone.csv`, the target distribution. No
image is in both files. `synthetic.csv` has the scans of `crisp.csv` passed through the same camera: what the remedy
against data mismatch would make of them.

    python make_data.py FOLDER
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits

Image = NDArray[np.float64]
SIDE = 8
WHITE = 16.0


@dataclass(frozen=True)
class Camera:
    """The flaws of the phone camera. Each range is drawn from uniformly, anew for each photograph.

    Attributes:
        shift: Largest misplacement of the digit along each axis, in pixels (parts of a pixel are interpolated).
        blur: Standard deviation of the Gaussian blur, in pixels: an unsteady hand and a cheap lens.
        contrast: Factor on the grey levels: dim light.
        glare: Grey levels (0 to 16) that stray light adds to all pixels.
        noise: Standard deviation of the sensor's Gaussian noise, in grey levels, independent for each pixel.
    """

    shift: float = 1.0
    blur: tuple[float, float] = (0.3, 0.6)
    contrast: tuple[float, float] = (0.6, 1.0)
    glare: tuple[float, float] = (0.0, 2.0)
    noise: float = 1.0


def photograph(image: Image, camera: Camera, rng: np.random.Generator) -> Image:
    """One photograph of an image: shifted, blurred, dimmed, brightened and noisy, in this order.

    Args:
        image: Grey levels (8, 8) from 0 to 16.
        camera: Its flaws.
        rng: Where the draws come from.

    Returns:
        Grey levels (8, 8), clipped to 0 to 16.
    """
    moved = ndimage.shift(image, rng.uniform(-camera.shift, camera.shift, 2), order=1, mode="constant", cval=0.0)
    soft = ndimage.gaussian_filter(moved, rng.uniform(*camera.blur), mode="nearest")
    lit = soft * rng.uniform(*camera.contrast) + rng.uniform(*camera.glare)
    return np.clip(lit + rng.normal(0.0, camera.noise, image.shape), 0.0, WHITE)


def tabulate(images: NDArray[np.float64], labels: NDArray[np.int64], ids: list[str]) -> pd.DataFrame:
    """A table with one row per image: id, 64 pixels row by row, digit."""
    pixels = {f"pixel_{at:02d}": images[:, at].round(1) for at in range(SIDE * SIDE)}
    return pd.DataFrame({"id": ids, **pixels, "digit": labels})


def generate(folder: Path, seed: int = 0, *, n_crisp: int = 1_000, camera: Camera | None = None) -> None:
    """Writes crisp.csv, phone.csv and synthetic.csv.

    Args:
        folder: Where to; made when it is missing.
        seed: Same seed, same files.
        n_crisp: Images that stay crisp; all others are photographed.
        camera: The camera's flaws.
    """
    rng = np.random.default_rng(seed)
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    scans, targets = order[:n_crisp], order[n_crisp:]

    def shoot(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        square = images[chosen].reshape(-1, SIDE, SIDE)
        return np.stack([photograph(image, camera or Camera(), rng).ravel() for image in square])

    folder.mkdir(parents=True, exist_ok=True)
    for name, prefix, chosen, pixels in (
        ("phone", "shot", targets, shoot(targets)),
        ("crisp", "scan", scans, images[scans]),
        ("synthetic", "synthetic", scans, shoot(scans)),
    ):
        ids = [f"{prefix}-{at:04d}" for at in chosen]
        tabulate(pixels, labels[chosen], ids).to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py FOLDER")
    generate(Path(sys.argv[1]))
