"""Split hygiene: each judge on evidence made by hand, and silence where all is well."""

import numpy as np
import pytest

from mlproj.data.columns import Column
from mlproj.data.hygiene import (
    describe_sources,
    describe_suspects,
    find_class_gaps,
    find_conflicts,
    find_duplicates,
    find_pooling,
    find_small_dev,
    recommend_id,
)
from mlproj.data.leaks import Suspect
from mlproj.spec.project import Project

SPLIT = np.array(["train", "train", "train_dev", "dev", "dev", "test", ""])


def project_of(**sections: object) -> Project:
    return Project.model_validate({"name": "p", "data": {"source": "a.csv", "label": "y"}} | sections)


def test_duplicates_are_counted_for_each_pair_of_splits() -> None:
    texts = [found.text for found in find_duplicates(np.array(list("aabacaa")), SPLIT, by_id=False)]
    assert [text.split(" equal")[0] for text in texts] == [
        "1 of 2 dev rows (50 %)",
        "1 of 1 test rows (100 %)",
        "1 of 1 test rows (100 %)",
    ]
    assert "a row of train in" in texts[0]
    assert "a row of dev in" in texts[2]
    assert find_duplicates(np.array(list("aabcdea")), SPLIT, by_id=False) == []


def test_conflicting_labels_say_what_cannot_be_learned() -> None:
    found = find_conflicts(np.array(list("aaabb")), np.array(["x", "x", "y", "x", "x"]))
    assert [f.text for f in found] == [
        "3 of 5 rows equal another row in every feature but have another label: "
        "whatever the model answers, at least 1 of them stay wrong."
    ]
    assert find_conflicts(np.array(list("aab")), np.array(["x", "x", "y"])) == []


def test_pooling_names_the_shares_and_what_to_move() -> None:
    split = np.array(["dev"] * 2500 + ["train"] * 10)
    source = np.concatenate([np.repeat([0, 1], [119, 2381]), np.zeros(10, dtype=np.int64)])
    (found,) = find_pooling(project_of(), split, source, ["app.csv", "web.csv"], ["target", "target"])
    assert found.text.startswith("dev mixes the parts of `data.source`: 95.2 % web.csv (2,381), 4.76 % app.csv (119).")
    assert "the one distribution that the product meets" in found.text
    assert "web.csv) to `data.extra`" in found.text
    assert find_pooling(project_of(), split, source * 0, ["app.csv"], ["target"]) == []
    assert find_pooling(project_of(), split, source * 0, ["app.csv", "web.csv"], ["target", "training"]) == []


def test_dev_from_a_file_and_test_from_the_source_are_not_alike() -> None:
    project = project_of(splits={"dev": "dev.csv"})
    split, source = np.array(["train", "dev", "test"]), np.array([0, 1, 0])
    (found,) = find_pooling(project, split, source, ["app.csv", "dev.csv"], ["target", "dev"])
    assert found.code == "dev_test_differ"
    assert "dev comes from dev.csv, test from `data.source`" in found.text


def test_classes_by_source_and_a_class_that_one_lacks() -> None:
    classes, source = np.array(["cat", "cat", "dog", "dog", "dog", ""]), np.array([0, 0, 0, 1, 1, 1])
    note, warning = describe_sources(classes, source, ["app.csv", "web.csv"], "animal")
    assert note.text == "animal by source: app.csv: cat 66.7 %, dog 33.3 %; web.csv: dog 100 %."
    assert not note.is_warning
    assert "web.csv holds no animal 'cat'" in warning.text
    assert describe_sources(np.array([""]), np.array([0]), ["a.csv"], "y") == []


def test_classes_that_a_split_lacks_and_rare_ones() -> None:
    classes = np.array(["no"] * 97 + ["yes"] * 3)
    split = np.array(["train"] * 99 + ["dev"])
    assert [f.code for f in find_class_gaps(classes, split, "y", "error")] == ["class_missing", "imbalance"]
    assert "dev holds no y 'no' (97 in all)" in find_class_gaps(classes, split, "y", "error")[0].text
    assert (
        "Only 3 % are 'yes': always answering 'no' is right in 97 %"
        in find_class_gaps(classes, split, "y", "error")[1].text
    )
    assert [f.code for f in find_class_gaps(classes, split, "y", "f1")] == ["class_missing"]
    even = np.array([f"c{i % 30}" for i in range(3000)])
    assert find_class_gaps(even, np.array(["train", "dev"]).repeat(1500), "y", "error") == []


@pytest.mark.parametrize(
    ("n", "p", "codes"), [(30, 0.1, ["small_dev"]), (1000, 0.1, []), (0, 0.1, ["no_dev"]), (30, None, [])]
)
def test_a_small_dev_set_says_what_it_buys(n: int, p: float | None, codes: list[str]) -> None:
    assert [found.code for found in find_small_dev({"train": 10, "dev": n}, p)] == codes


def test_few_groups_are_few_examples() -> None:
    (found,) = find_small_dev({"train": 10, "dev": 5000}, 0.1, {"train": 2, "dev": 4}, "user")
    assert found.text == "dev holds 5,000 examples of only 4 user: its intervals count groups, not examples."


def test_suspects_are_named_with_what_to_write() -> None:
    found = describe_suspects(
        [
            Suspect("reason", "left", "error", 0.001, 0.3),
            Suspect("score", "left", "auc", 0.9991, 0.5),
            Suspect("net", "price", "r2", 1.0, 0.0),
        ]
    )
    assert (
        "'reason' alone nearly determines 'left' on train (an error of 0.1 % where the constant answer has 30 %)"
        in found[0].text
    )
    assert "`exclude: [reason]`" in found[0].text
    assert "ROC curve of 0.9991" in found[1].text
    assert "an R² of 1.0000" in found[2].text


def test_an_id_is_recommended_and_a_column_that_would_do() -> None:
    columns = [Column("age", "number", 0, 10, True), Column("image_id", "ignore", 0, 10, True)]
    (found,) = recommend_id(project_of(), columns, 10)
    assert "`data: {id: image_id}`" in found.text
    assert "if the data have one" in recommend_id(project_of(), columns[:1], 10)[0].text
    assert recommend_id(project_of(data={"source": "a.csv", "label": "y", "id": "image_id"}), columns, 10) == []
