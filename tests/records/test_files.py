"""Predictions files: round trips, foreign dialects, and hostile files that must be explained."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mlproj.errors import InvalidInput
from mlproj.records import Answers, Predictions
from mlproj.records.files import read_predictions, write_predictions


def write(text: str, name: str = "file.csv") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def complaint(text: str, **options: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_predictions(write(text), **options)  # type: ignore[arg-type]  # every option is a keyword with a text
    return str(caught.value)


def same(a: Predictions, b: Predictions) -> None:
    """Both hold the same, down to the coding of the classes."""
    assert a.ids.tolist() == b.ids.tolist()
    assert a.split.tolist() == b.split.tolist()
    assert list(a.labels) == list(b.labels)
    for name, answers in a.labels.items():
        other = b.labels[name]
        assert answers.classes == other.classes
        np.testing.assert_array_equal(answers.y_true, other.y_true)
        np.testing.assert_array_equal(answers.y_pred, other.y_pred)
        assert (answers.p is None) == (other.p is None)
        if answers.p is not None and other.p is not None:
            np.testing.assert_allclose(answers.p, other.p, rtol=0, atol=1e-15)
    for left, right in ((a.weight, b.weight), (a.group, b.group)):
        assert (left is None) == (right is None)
        if left is not None and right is not None:
            np.testing.assert_array_equal(left, right)
    assert {name: column.tolist() for name, column in a.more.items()} == {n: c.tolist() for n, c in b.more.items()}


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8).filter(
    lambda name: (
        not name[0].isdigit()
        and name[0] not in "+-."
        and name.lower() not in ("true", "false", "nan", "na", "n/a", "null", "<na>", "inf", "infinity")
    )
)


def make(rng: np.random.Generator, n: int, classes: list[str], names: tuple[str, ...], *, full: bool) -> Predictions:
    """Predictions with classes for the first label and numbers for a second one."""
    labels = {}
    for position, label in enumerate(names):
        if position % 2:
            labels[label] = Answers(np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)), rng.normal(size=n))
            continue
        p = rng.dirichlet(np.ones(len(classes)), n) if full else None
        y_true, y_pred = rng.integers(-1, len(classes), n), rng.integers(0, len(classes), n)
        labels[label] = Answers(y_true, y_pred, tuple(classes), p)
    return Predictions(
        np.array([f"row {k}" for k in range(n)]),
        rng.choice(["train", "train_dev", "dev"], n),
        labels,
        rng.random(n) + 0.1 if full else None,
        rng.choice(["a", "b"], n) if full else None,
        {"kind": np.array(["x"] * n, dtype=object)} if full else {},
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(1, 6),
    random=st.integers(0, 10_000),
    classes=st.lists(NAMES, min_size=2, max_size=4, unique=True),
    several=st.booleans(),
    full=st.booleans(),
)
def test_parquet_round_trip_is_the_identity(n: int, random: int, classes: list[str], several: bool, full: bool) -> None:
    names = ("left", "right") if several else ("",)
    content = make(np.random.default_rng(random), n, classes, names, full=full)
    write_predictions(content, "round.parquet")
    same(read_predictions("round.parquet"), content)


@pytest.mark.parametrize("name", ["round.csv", "round.parquet"])
def test_round_trip_of_a_binary_label_with_probabilities(name: str) -> None:
    p = np.array([[0.25, 0.75], [1.0, 0.0], [1 / 3, 2 / 3]])
    content = Predictions(
        np.array(["a", "b,;\nb", 'c"é']),
        np.array(["train", "dev", "dev"]),
        {"": Answers(np.array([1, -1, 0]), np.array([1, 0, 1]), ("no", "yes"), p)},
        np.array([1.0, 10.0, 0.5]),
        np.array(["g1", "g1", "g2"]),
    )
    write_predictions(content, name)
    same(read_predictions(name), content)


@pytest.mark.parametrize("name", ["round.csv", "round.parquet"])
def test_round_trip_of_numbers_keeps_every_bit(name: str) -> None:
    y = np.array([0.1, np.nan, 1e-300, 12345678901234.5])
    content = Predictions(np.arange(4).astype(str), np.full(4, "dev"), {"": Answers(y, np.full(4, np.pi))})
    write_predictions(content, name)
    same(read_predictions(name), content)


def test_a_class_without_examples_survives_in_parquet() -> None:
    content = Predictions(
        np.array(["1"]), np.array(["dev"]), {"": Answers(np.array([0]), np.array([0]), ("a", "b", "c"))}
    )
    write_predictions(content, "one.parquet")
    assert read_predictions("one.parquet").answers.classes == ("a", "b", "c")


def test_only_answers_are_required() -> None:
    read = read_predictions(write("y_pred\ncat\ndog\n"))
    assert read.split.tolist() == ["dev", "dev"]
    assert read.ids.tolist() == ["1", "2"]
    assert not read.answers.known.any()


def test_probabilities_alone_give_the_answers() -> None:
    read = read_predictions(write("p_cat,p_cow,p_dog\n.2,.3,.5\n.6,.3,.1\n"))
    assert [read.answers.classes[k] for k in read.answers.y_pred] == ["dog", "cat"]


def test_a_single_probability_is_that_of_its_class() -> None:
    read = read_predictions(write("y_true,p_1\n1,.7\n0,.3\n0,.5\n"))
    assert read.answers.classes == ("0", "1")
    assert read.answers.y_pred.tolist() == [1, 0, 1]
    np.testing.assert_allclose(read.answers.p[:, 0], [0.3, 0.7, 0.5])  # type: ignore[index]  # there are probabilities


@pytest.mark.parametrize("answers", ["1,1.0\n0,0", "1.0,1\n0.0,0.0", "1,1\n0,0"])
def test_numbers_that_say_the_same_are_the_same_class(answers: str) -> None:
    read = read_predictions(write(f"y_true,y_pred\n{answers}\n"))
    assert read.answers.classes == ("0", "1")
    assert read.answers.y_true.tolist() == read.answers.y_pred.tolist() == [1, 0]


def test_leading_zeros_are_names_not_numbers() -> None:
    read = read_predictions(write("y_true,y_pred\n01,1\n1,01\n"), task="classification")
    assert len(read.answers.classes) == 2
    assert read.answers.y_true.tolist() != read.answers.y_pred.tolist()


def test_the_positive_class_comes_last() -> None:
    assert read_predictions(write("y_true,y_pred\nyes,no\n")).answers.classes == ("no", "yes")
    assert read_predictions(write("y_true,p_yes,p_no\nyes,.9,.1\n")).answers.classes == ("no", "yes")
    assert read_predictions(write("y_true,y_pred\nbad,good\n"), positive="bad").answers.classes == ("good", "bad")


def test_class_names_are_kept_verbatim() -> None:
    read = read_predictions(write("y_true,p_Big Cat,p_chien à poil\nBig Cat,.5,.5\n"))
    assert read.answers.classes == ("Big Cat", "chien à poil")


def test_several_labels_with_missing_truths() -> None:
    read = read_predictions(
        write("y_true:car,y_pred:car,p:car,y_true:sign,p:sign:stop,p:sign:go\n1,0,.4,stop,.9,.1\n,1,.8,go,.2,.8\n")
    )
    assert list(read.labels) == ["car", "sign"]
    assert read.labels["car"].known.tolist() == [True, False]
    assert read.labels["sign"].classes == ("go", "stop")
    assert read.labels["sign"].y_pred.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ("1.5,2\n2,3", "numbers"),
        ("1,2\n2,1", "classes"),
        ("cat,dog\ncat,cat", "classes"),
        ("1,1.5\n0,0.5", "numbers"),
        ("\n".join(f"{k},{k}" for k in range(30)), "numbers"),
    ],
)
def test_what_the_answers_are_is_inferred(rows: str, kind: str) -> None:
    read = read_predictions(write(f"y_true,y_pred\n{rows}\n"))
    assert read.answers.is_classification == (kind == "classes")


def test_a_metric_decides_what_the_answers_are() -> None:
    path = write("y_true,y_pred\n1,2\n2,1\n")
    assert not read_predictions(path, metric="mae").answers.is_classification
    many = write("y_true,y_pred\n" + "".join(f"{k},{k}\n" for k in range(30)))
    assert len(read_predictions(many, metric="error").answers.classes) == 30


def test_dialects_of_spreadsheets_are_understood() -> None:
    german = read_predictions(write("\ufeffid;y_true;y_pred\n1;0,5;0,75\n2;1;2\n"))
    assert german.answers.y_pred.tolist() == [0.75, 2.0]
    assert read_predictions(write("y_true\ty_pred\ncat\tdog\n")).answers.classes == ("cat", "dog")
    assert read_predictions(write(" y_true , y_pred \r\n cat , cat \r\n")).answers.classes == ("cat",)


def test_further_columns_are_carried_along() -> None:
    read = read_predictions(write("y_pred,note\n1,blurry\n0,\n"))
    assert read.more["note"].tolist() == ["blurry", None]


@pytest.mark.parametrize("kind", ["bool", "float", "dictionary", "int"])
def test_parquet_columns_of_other_frameworks(kind: str) -> None:
    column = {
        "bool": pa.array([True, False, None]),
        "float": pa.array([1.0, 0.0, None]),
        "dictionary": pa.array(["1", "0", None]).dictionary_encode(),
        "int": pa.array([1, 0, None], pa.int8()),
    }[kind]
    parquet.write_table(pa.table({"y_true": column, "p_1": [0.9, 0.2, 0.6]}), "theirs.parquet")
    if kind == "bool":
        parquet.write_table(pa.table({"y_true": column, "p_true": [0.9, 0.2, 0.6]}), "theirs.parquet")
    read = read_predictions("theirs.parquet")
    assert read.answers.y_true.tolist() == [1, 0, -1]
    assert read.answers.y_pred.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        ("y_pred\n", ["has no rows"]),
        ("y_pred,y_pred\n1,1\n", ["'y_pred' 2 times"]),
        ("id,y_true\n1,2\n", ["no column y_pred or p_<class>", "id, y_true"]),
        ("prediction\n1\n", ["Rename `prediction` to `y_pred`"]),
        (
            "split,y_pred\nval,1\ndevv,1\n,0\n",
            ["row 2", "'val'", "Did you mean `dev`", "row 3", "'devv'", "row 4", "empty"],
        ),
        (
            "y_pred,p_a,p_b\na,.5,x\nb,.5,\na,nan,.5\n",
            ["column p_b, row 2: 'x'", "row 3: an empty cell", "column p_a, row 4"],
        ),
        ("p_a,p_b\n3.1,-2.1\n", ["'3.1' is no probability", "'-2.1'", "softmax"]),
        ("p_a,p_b\n.5,.5\n.5,.1\n", ["row 3", "sum to 0.6"]),
        ("y_true,p_cat,p_dog\ncatt,.5,.5\n", ["column y_true, row 2: 'catt'", "cat, dog", "Did you mean `cat`"]),
        ("y_true,y_pred\ncat,0\ndog,1\n", ["'0'", "'cat'", "no class occurs in both"]),
        ("y_true,y_pred\n0,0.73\n1,0.2\n", ["'0.73'", "p_<class>"]),
        ("y_true,y_pred\n1.5,2.5\n2,\n", ["column y_pred, row 3: an empty cell"]),
        ("y_true,y_pred\n1.5,2.5\n2,inf\n", ["column y_pred, row 3: 'inf'"]),
        ('y_pred\ncat\n""\n', ["column y_pred, row 3: an empty cell is no answer"]),
        ("y_pred,weight\n1,-1\n0,x\n", ["'-1' is below 0", "'x' is no number"]),
        ("y_pred,weight\n1,0\n0,0\n", ["0 in every row"]),
        ("id,y_pred\n,1\n", ["column id, row 2", "names nothing"]),
        ("group,y_pred\n,1\n", ["column group, row 2"]),
        ("y_true,y_pred\n1,2,3\n1\n", ["row 2", "3 cells instead of 2", "row 3"]),
        ("y_pred,y_pred:car\n1,1\n", ["mix one label with several"]),
        ("y_true:car\n1\n", ["no column y_pred:car or p:car"]),
        ("y_true,p_1\n0,.5\n1,.5\n2,.5\n", ["only probability", "0, 2"]),
    ],
)
def test_hostile_files_are_explained(text: str, needles: list[str]) -> None:
    options = {"metric": "error"} if "0.73" in text else {}
    message = complaint(text, **options)
    assert "file.csv" in message
    for needle in needles:
        assert needle in message


def test_a_million_bad_cells_are_summed_up() -> None:
    message = complaint("p_a,p_b\n" + "x,1\n" * 5000)
    assert "rows 2, 3, 4 (and 4,997 more rows)" in message
    assert len(message) < 400


def test_probabilities_do_not_suit_a_metric_of_numbers() -> None:
    assert "holds a probability, but the answers are numbers" in complaint("y_true,p_a,p_b\na,.5,.5\n", metric="rmse")


@pytest.mark.parametrize("content", [b"\xff\xfey\x00", b"PK\x03\x04zip", b"PAR1"])
def test_files_that_are_something_else_are_recognised(content: bytes) -> None:
    Path("file.csv").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"file.csv: is (UTF-16|an Excel or zip file|a Parquet file)"):
        read_predictions("file.csv")
    Path("file.parquet").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"no readable Parquet file"):
        read_predictions("file.parquet")


def test_other_encodings_are_named() -> None:
    Path("file.csv").write_bytes("y_pred\nchien à poil\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_predictions("file.csv")


def test_a_missing_file_is_looked_for_in_its_folder() -> None:
    write("y_pred\n1\n", "keras.csv")
    with pytest.raises(InvalidInput, match=r"does not exist\s+Did you mean `keras.csv`"):
        read_predictions("kears.csv")
    with pytest.raises(InvalidInput, match=r"ends in .xlsx\s+Predictions are read from .csv and .parquet"):
        read_predictions("keras.xlsx")
    Path("folder.csv").mkdir()
    with pytest.raises(InvalidInput, match="is a folder"):
        read_predictions("folder.csv")


def test_other_suffixes_are_not_written() -> None:
    content = Predictions(np.array(["1"]), np.array(["dev"]), {"": Answers(np.array([0]), np.array([0]), ("a", "b"))})
    with pytest.raises(InvalidInput, match=r"ends in .txt"):
        write_predictions(content, "file.txt")


def test_a_cell_is_complained_about_once() -> None:
    assert complaint("y_true,y_pred\n1.5,1\ninf,2\n").count("'inf'") == 1


def test_bytes_that_are_no_text_are_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InvalidInput, match="holds zero bytes: it is no text file"):
        read_predictions(tmp_path / "p.csv")


def test_texts_are_no_answers_to_numbers(tmp_path: Path) -> None:
    rows = [f"{i * 1.5},abc" for i in range(60)]
    (tmp_path / "p.csv").write_text("\n".join(["y_true,y_pred", *rows]) + "\n")
    with pytest.raises(InvalidInput, match="column y_pred: says 'abc' where y_true says"):
        read_predictions(tmp_path / "p.csv")
