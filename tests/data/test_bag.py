"""Text as a bag of words: the words and weights of scikit-learn, bounded, stored as plain data, whatever is written."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from complaints import complaints
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from mlproj.data import bag as bags
from mlproj.data import examine, load_dataset
from mlproj.data.bag import Bag
from mlproj.data.columns import Column
from mlproj.data.encoder import Encoder, warn_encoder
from mlproj.data.guess import infer_columns
from mlproj.data.leaks import find_suspects
from mlproj.spec.project import Project


def text_encoder(cells: list[Any]) -> Encoder:
    return Encoder.fit(pd.DataFrame({"note": pd.Series(cells, dtype="str")}), [Column("note", "text", 0, 9, False)])


def encode(encoder: Encoder, cells: list[Any]) -> list[dict[str, float]]:
    """The inputs that are not 0, by name."""
    x = encoder.encode(pd.DataFrame({"note": pd.Series(cells, dtype=object)}))
    return [{name: float(v) for name, v in zip(encoder.names, row, strict=True) if v} for row in x]


def test_words_and_weights_are_those_of_scikit_learn_times_one_scale() -> None:
    train, new = (complaints(n, seed)["note"].tolist() for n, seed in ((300, 1), (80, 2)))
    oracle = TfidfVectorizer(min_df=2).fit(train)
    encoder = text_encoder(train)
    assert encoder.names == tuple(f"note: {word}" for word in oracle.get_feature_names_out())
    bag = encoder.columns[0].bag
    assert bag is not None
    expected = oracle.transform(new).toarray() * bag.scale
    np.testing.assert_allclose(encoder.encode(pd.DataFrame({"note": new})), expected, rtol=1e-5, atol=1e-6)
    assert expected[expected > 0].mean() == pytest.approx(1, abs=0.2)  # a present word counts like a category


def test_only_words_that_two_train_texts_share_get_an_input() -> None:
    assert text_encoder(["late parcel", "Late again", "lost lost"]).names == ("note: late",)


def test_the_most_widespread_words_are_kept_up_to_a_limit_and_among_equals_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = pa.array(["aa bb cc dd", "aa bb cc dd", "dd ee", "ee"])
    monkeypatch.setattr(bags, "MAX_WORDS", 3)
    monkeypatch.setattr(bags, "LEAST_WORDS", 1)
    assert Bag.fit(texts).words == ("aa", "bb", "dd")
    monkeypatch.setattr(bags, "MAX_CELLS", 8)  # two words for four rows
    assert Bag.fit(texts).words == ("aa", "dd")


def test_a_text_of_unknown_words_an_empty_and_a_missing_one_are_ordinary() -> None:
    encoder = text_encoder(["late parcel", "late again", None, ""])
    assert encoder.names == ("note: late", "note=(missing)")
    known, unknown, empty, missing, number = encode(encoder, ["LATE!", "never heard", "", None, 17])
    assert known.keys() == {"note: late"}
    assert unknown == number == {}
    assert empty == missing == {"note=(missing)": 1.0}


@pytest.mark.parametrize(
    ("train", "new"),
    [
        (["Café zu", "café auf"], "CAFE\u0301"),
        (["ПОСЫЛКА пришла", "посылка где"], "Посылка…"),
        (["naïve idea", "so naïve"], "«naïve»"),
        (["ｌａｔｅ one", "late two"], "late"),
        (["great 👍 work", "work"], "work👍"),
    ],
)
def test_words_are_compared_without_regard_to_case_and_way_of_writing(train: list[str], new: str) -> None:
    encoder = text_encoder([*train])
    assert len(encoder.names) == 1
    assert encode(encoder, [new])[0].keys() == set(encoder.names)


def test_a_text_column_comes_back_from_json_equal_and_a_stored_form_without_text_is_still_read() -> None:
    encoder = text_encoder(complaints(50)["note"].tolist())
    assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder
    old: dict[str, Any] = {
        "name": "a",
        "type": "number",
        "format": None,
        "mean": 1.0,
        "std": 2.0,
        "missing": False,
        "categories": [],
    }
    encoder = Encoder.from_json({"version": 1, "columns": [old | {"other": False, "cycles": {}}]})
    assert encoder.encode(pd.DataFrame({"a": [3]})).tolist() == [[1.0]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=30)), min_size=1, max_size=10), st.randoms())
def test_any_texts_can_be_learned_and_encoded_and_their_order_does_not_matter(cells: list[Any], random: Any) -> None:
    encoder = text_encoder(cells)
    shuffled = random.sample(cells, len(cells))
    assert text_encoder(shuffled).names == encoder.names
    x = encoder.encode(pd.DataFrame({"note": pd.Series(cells, dtype="str")}))
    assert x.shape == (len(cells), len(encoder.names))
    assert np.isfinite(x).all()


def test_texts_without_a_shared_word_are_said_to_teach_nothing() -> None:
    columns = [Column("note", "text", 0, 2, False)]
    frame = pd.DataFrame({"note": ["!!!", "???"]})
    assert warn_encoder(Encoder.fit(frame, columns), columns) == [
        "No two train rows share a word in column 'note', so the model learns nothing from its words."
    ]


def test_scikit_learn_s_text_tools_are_imported_only_for_a_text_column() -> None:
    code = """if True:
        import sys, pandas as pd
        from mlproj.data import Encoder
        from mlproj.data.columns import Column
        frame = pd.DataFrame({"note": ["late parcel", "late again"]})
        for kind in ("category", "text"):
            Encoder.fit(frame, [Column("note", kind, 0, 2, True)]).encode(frame)
            print("sklearn" in sys.modules)
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def guess(cells: list[str]) -> str:
    project = Project.model_validate({"name": "p", "data": {"source": "a.csv", "label": "y"}})
    return infer_columns(pd.DataFrame({"x": pd.Series(cells, dtype="str")}), project)[0].type


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([f"The {i}th parcel did not arrive in time" for i in range(60)], "text"),
        ([f"The {i % 150}th parcel did not arrive in time" for i in range(900)], "text"),
        ([f"The {i % 15}th parcel did not arrive in time" for i in range(900)], "category"),
        ([f"Mr. Owen Harris {i}" for i in range(60)], "ignore"),
        ([f"{i} Main Street, Springfield" for i in range(60)], "ignore"),
        ([f"https://www.example.com/a/b/c/d/e?id={i}" for i in range(60)], "ignore"),
        ([f"1.{i} 2.{i} 3.{i} 4.{i} 5.{i} 6.{i}" for i in range(60)], "ignore"),
        (["One short sentence is here, too"] * 60, "category"),
    ],
)
def test_sentences_are_taken_for_text_and_names_addresses_codes_are_not(cells: list[str], kind: str) -> None:
    assert guess(cells) == kind


def test_words_are_learned_on_train_and_used_everywhere(build: Any) -> None:
    frame = complaints(200).assign(fold=["train"] * 100 + ["dev"] * 100)
    frame.loc[frame["fold"] == "dev", "note"] += " zebra"
    dataset = load_dataset(build({"a.csv": frame}, label="angry", splits={"column": "fold"}))
    assert "note: broken" in dataset.encoder.names
    assert "note: zebra" not in dataset.encoder.names
    np.testing.assert_array_equal(dataset.parts["dev"].x, dataset.encoder.encode(frame[100:]))


def test_a_column_of_categories_can_be_declared_text(build: Any, flowers: pd.DataFrame) -> None:
    dataset = load_dataset(build({"a.csv": flowers}, columns={"colour": "text"}, id="uid"))
    assert dataset.encoder.names == ("size", "colour: blue", "colour: red", "colour: white")


def test_a_label_cannot_be_text(build: Any, flowers: pd.DataFrame, refusal: Any) -> None:
    said = refusal(build({"a.csv": flowers}, columns={"y": "text"}))
    assert "data.columns.y: 'y' is the label; it cannot be this as well" in said


def test_texts_without_any_shared_word_leave_no_input(build: Any, refusal: Any) -> None:
    frame = pd.DataFrame({"note": [f"w{i}" for i in range(40)], "y": ["yes", "no"] * 20})
    said = refusal(build({"a.csv": frame}, columns={"note": "text"}))
    assert "no two train rows share a word" in said
    assert "Add columns" in said


def test_a_word_that_gives_the_label_away_is_a_leak_suspect_and_telling_words_are_not() -> None:
    frame = complaints(600)
    y = (frame["angry"] == "yes").to_numpy().astype(float)
    columns = (Column("note", "text", 0, 600, True),)
    assert find_suspects(frame, columns, "angry", y, regression=False) == []
    marked = frame.assign(note=frame["note"] + np.where(y == 1, " escalated", " closed"))
    (found,) = find_suspects(marked, columns, "angry", y, regression=False)
    assert (found.column, found.word, found.measure, found.value) == ("note", "closed", "error", 0.0)


def test_check_names_the_word_and_finds_rows_with_equal_texts(build: Any) -> None:
    frame = complaints(400)
    frame["note"] += np.where(frame["angry"] == "yes", " escalated", " closed")
    frame = pd.concat([frame, frame[:200]], ignore_index=True).assign(uid=range(600))
    report = examine(build({"a.csv": frame}, label="angry", id="uid"))
    assert {column.name: column.type for column in report.columns}["note"] == "text"
    assert any("The word 'closed' in column 'note' alone nearly determines 'angry'" in w for w in report.warnings)
    assert any("equal a row of train in every feature" in warning for warning in report.warnings)
