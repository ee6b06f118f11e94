"""Reading project.yaml: files, folders, `--like`, `--name`, and projects made in Python."""

from pathlib import Path

import numpy as np
import pytest

from mlproj.errors import InvalidInput
from mlproj.spec.load import find_file, load_project, make_project, parse_project
from mlproj.spec.model import MLP, Linear
from mlproj.spec.project import Project
from mlproj.spec.training import Constant

TEXT = "name: cats\ndata:\n  source: app.csv\n  label: is_cat\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project.yaml").write_text(TEXT)
    return tmp_path


def test_a_folder_and_its_file_give_the_same_project(folder: Path) -> None:
    assert load_project(folder) == load_project(folder / "project.yaml") == load_project(str(folder)) == load_project()


def test_the_project_knows_its_folder_file_and_lines(folder: Path) -> None:
    project = load_project(folder)
    assert project.root == folder
    problem = project.problem("data.label", "no such column")
    assert (problem.file, problem.line) == ("project.yaml", 4)
    assert project.problem("splits.dev", "too small").line is None


def test_a_file_of_another_name_is_named_in_messages(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: x\n")
    with pytest.raises(InvalidInput, match=r"^other.yaml: data: is missing"):
        load_project(tmp_path / "other.yaml")


@pytest.mark.parametrize(
    ("path", "fragment"),
    [
        (".", "this folder holds no project.yaml"),
        ("nowhere", "nowhere does not exist"),
        ("x.yaml", "x.yaml does not exist"),
    ],
)
def test_a_missing_file_says_what_to_do(path: str, fragment: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_project(path)
    assert fragment in str(caught.value)
    assert "mlproj init" in str(caught.value)


def test_a_file_with_the_other_suffix_is_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "project.yml").write_text(TEXT)
    with pytest.raises(InvalidInput, match=r"Rename project.yml to project.yaml"):
        load_project(tmp_path)


def test_paths_start_from_the_link_not_from_what_it_points_to(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "project.yaml").symlink_to(folder / "project.yaml")
    assert find_file(folder / "inner") == folder / "inner" / "project.yaml"


def test_a_missing_kind_is_the_default_kind() -> None:
    project = parse_project(TEXT + "model: {width: 8}\ntraining: {schedule: {}}\n")
    assert project.model == MLP(layers=2, width=8)
    assert project.training.schedule == Constant()


def test_sections_whose_keys_are_all_commented_out_count_as_left_out() -> None:
    text = TEXT + "  extra:\n  columns:\nsplits:\nmetric:\n  satisfy:\nmodel:\ntraining:\nhuman_level:\n"
    assert parse_project(text) == parse_project(TEXT)


def test_early_stopping_can_be_switched_off() -> None:
    assert parse_project(TEXT + "training: {early_stopping: null}\n").training.early_stopping is None


def test_a_runs_spec_replaces_what_the_file_says(folder: Path) -> None:
    spec = {"name": "dogs", "data": {"source": "dogs.csv", "label": "is_dog"}, "model": {"kind": "linear"}}
    project = load_project(folder, base=spec, base_name="dogs-1")
    assert (project.name, project.model, project.root) == ("dogs", Linear(), folder)
    assert project.problem("data.label", "no such column").file == "run dogs-1"


def test_a_runs_spec_needs_no_file(tmp_path: Path) -> None:
    assert load_project(tmp_path, base={"name": "x", "data": {"source": "sklearn:iris"}}).root == tmp_path


def test_a_runs_full_dump_is_accepted(folder: Path) -> None:
    project = load_project(folder)
    assert load_project(folder, base=project.model_dump(mode="json")) == project


def test_another_name_wins_and_is_blamed_by_its_option(folder: Path) -> None:
    assert load_project(folder, name="lions").name == "lions"
    with pytest.raises(InvalidInput, match=r"^--name: 'a/b' is not allowed"):
        load_project(folder, name="a/b")


def test_python_values_make_a_project() -> None:
    project = make_project(
        {
            "name": "x",
            "seed": np.int64(3),
            "data": {"source": (Path("a.csv"), "b.csv"), "label": ["y"]},
            "model": {"kind": "mlp", "hidden": np.array([8, 4])},
            "training": {"schedule": Constant(), "learning_rate": np.float64(0.5)},
        }
    )
    assert project.data.source == ("a.csv", "b.csv")
    assert project.model == MLP(hidden=(8, 4))
    assert project == Project(
        name="x",
        seed=3,
        data={"source": ["a.csv", "b.csv"], "label": ["y"]},  # type: ignore[arg-type]  # as users write it
        model=MLP(hidden=(8, 4)),
        training={"learning_rate": 0.5},  # type: ignore[arg-type]  # as users write it
    )


def test_python_values_that_cannot_be_written_down_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"cannot be written down"):
        make_project({"name": "x", "data": {("a", "b"): 1}})
