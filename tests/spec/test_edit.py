"""One more key in a project.yaml: everything else stays as people wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.spec.edit import add_key
from mlproj.spec.yaml import read_yaml

TEXTS = {
    "block": "name: x\n\n# data\ndata:   # from the app\n  source: a.csv  # daily\n  label: y   # what\n  id: k\n",
    "no newline at the end": "name: x\ndata:\n  source: a.csv\n  label: y",
    "a label in a list": "data:\n  label:\n    - a\n    - b\n  source: a.csv\n",
    "a comment first": "data:\n  # where from\n  source: a.csv\n",
    "four spaces": "data:\n    source: a.csv\n    label: 'y: z'\nname: x\n",
    "Windows lines": "name: x\r\ndata:\r\n  source: a.csv\r\n  label: y\r\n",
    "flow": "name: x\ndata: {source: a.csv, label: kind, id: uid}  # all\n",
    "flow, label last": "data: {source: a.csv, label: kind}\n",
    "flow over lines": "data: {\n  source: [a.csv, b.csv],\n  label: [a, b],\n}\nname: x\n",
    "quoted key": '"data":\n  source: a.csv\nname: x\n',
    "a label elsewhere": "about: 'label: no'\ndata:\n  source: a.csv\nsearch:\n  label: y\n",
    "a byte order mark": "\ufeffdata:\n  source: a.csv\n",
    "a block of text": "data:\n  label: |\n    y\n  source: a.csv\n",
}


@pytest.mark.parametrize("form", TEXTS)
def test_the_key_is_added_and_every_other_character_stays(form: str) -> None:
    old = TEXTS[form]
    new = add_key(old, "data", "corrections", "c.csv")
    assert new is not None
    then, now = read_yaml(old.lstrip("\ufeff")).data, read_yaml(new.lstrip("\ufeff")).data
    assert now == {**then, "data": {**then["data"], "corrections": "c.csv"}}
    rest = iter(new)
    assert all(character in rest for character in old.replace("\n}", "}").replace("{\n  ", "{"))
    assert ("\r\n" in new) == ("\r\n" in old)
    assert "\n" not in new.replace("\r\n", "") or "\r\n" not in old


def test_it_stands_behind_the_label_with_the_comment_of_that_line() -> None:
    new = add_key(TEXTS["block"], "data", "corrections", "c.csv")
    assert new == TEXTS["block"].replace("# what\n", "# what\n  corrections: c.csv\n")
    flow = add_key(TEXTS["flow"], "data", "corrections", "c.csv")
    assert flow == TEXTS["flow"].replace("kind,", "kind, corrections: c.csv,")


@pytest.mark.parametrize(
    "text", ["data: *here\n", "name: x\n", "data: a.csv\n", "data: {source: [\n", "x: {data: {a: 1}}\n", ""]
)
def test_a_text_that_cannot_take_a_line_is_left_alone(text: str) -> None:
    assert add_key(text, "data", "corrections", "c.csv") is None


@pytest.mark.parametrize("name", ["my fixes.csv", "a: b.csv", "#1.csv", "12", "ü.csv", "true"])
def test_a_name_that_needs_quotes_gets_them(name: str) -> None:
    new = add_key("data:\n  source: a.csv\n", "data", "corrections", name)
    assert new is not None
    assert read_yaml(new).data["data"]["corrections"] == name


@given(
    st.dictionaries(
        st.sampled_from(["source", "label", "id", "where"]), st.text("ab:#{}'\" \n,-|", max_size=9), min_size=1
    )
)
def test_whatever_the_section_holds_nothing_else_changes(section: dict[str, str]) -> None:
    import json

    old = "data:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in section.items()) + "name: x\n"
    new = add_key(old, "data", "corrections", "c.csv")
    assert new is not None
    assert read_yaml(new).data == {"data": {**section, "corrections": "c.csv"}, "name": "x"}
