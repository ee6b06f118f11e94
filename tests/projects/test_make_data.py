"""The generators: documented flaws, no image in both files, the same files every time."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits

PROJECTS = Path(__file__).resolve().parents[2] / "projects"
BLURRY = runpy.run_path(str(PROJECTS / "blurry-digits" / "make_data.py"))
CANCER = runpy.run_path(str(PROJECTS / "breast-cancer" / "make_data.py"))


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The crisp and the photographed digits."""
    BLURRY["generate"](folder)
    return pd.read_csv(folder / "crisp.csv"), pd.read_csv(folder / "phone.csv")


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    BLURRY["generate"](tmp_path / "a", seed=3)
    BLURRY["generate"](tmp_path / "b", seed=3)
    BLURRY["generate"](tmp_path / "c", seed=4)
    first, same, other = ((tmp_path / name / "phone.csv").read_bytes() for name in "abc")
    assert first == same
    assert first != other


def test_every_image_is_in_exactly_one_of_the_two_files(tmp_path: Path) -> None:
    crisp, phone = read(tmp_path)
    numbers = [int(name.rpartition("-")[2]) for name in [*crisp["id"], *phone["id"]]]
    assert sorted(numbers) == list(range(1797))
    labels = load_digits().target
    assert (labels[numbers] == [*crisp["digit"], *phone["digit"]]).all()


def test_scans_are_untouched_and_photographs_stay_in_range(tmp_path: Path) -> None:
    crisp, phone = read(tmp_path)
    images = load_digits().data
    rows = [int(name.rpartition("-")[2]) for name in crisp["id"]]
    assert np.array_equal(crisp.filter(like="pixel").to_numpy(), images[rows])
    values = phone.filter(like="pixel").to_numpy()
    assert values.shape == (797, 64)
    assert values.min() >= 0
    assert values.max() <= 16


def test_the_synthetic_file_holds_the_scans_seen_through_the_camera(tmp_path: Path) -> None:
    crisp, _ = read(tmp_path)
    synthetic = pd.read_csv(tmp_path / "synthetic.csv")
    assert (synthetic["digit"] == crisp["digit"]).all()
    pixels = [f"pixel_{at:02d}" for at in range(64)]
    alike = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(synthetic[pixels].to_numpy(), crisp[pixels].to_numpy(), strict=True)
    ]
    assert 0.5 < np.mean(alike) < 0.95


def test_a_perfect_camera_takes_the_image_as_it_is() -> None:
    perfect = BLURRY["Camera"](shift=0.0, blur=(0.0, 0.0), contrast=(1.0, 1.0), glare=(0.0, 0.0), noise=0.0)
    image = load_digits().images[7]
    assert np.allclose(BLURRY["photograph"](image, perfect, np.random.default_rng(0)), image)


def test_blur_keeps_the_light_and_noise_has_its_stated_size() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((8, 8))
    image[3:5, 3:5] = 8.0
    soft = BLURRY["Camera"](shift=0.0, blur=(0.6, 0.6), contrast=(1.0, 1.0), glare=(0.0, 0.0), noise=0.0)
    assert np.isclose(BLURRY["photograph"](image, soft, rng).sum(), image.sum(), rtol=1e-3)
    noisy = BLURRY["Camera"](shift=0.0, blur=(0.0, 0.0), contrast=(1.0, 1.0), glare=(8.0, 8.0), noise=1.0)
    shots = np.stack([BLURRY["photograph"](np.zeros((8, 8)), noisy, rng) for _ in range(100)])
    assert np.isclose(shots.std(), 1.0, atol=0.05)


def test_breast_cancer_is_the_table_that_scikit_learn_ships(tmp_path: Path) -> None:
    table = pd.read_csv(CANCER["generate"](tmp_path))
    bunch = load_breast_cancer()
    assert table["id"].is_unique
    assert np.array_equal(table.drop(columns=["id", "diagnosis"]).to_numpy(), bunch.data)
    assert (table["diagnosis"] == bunch.target_names[bunch.target]).all()
