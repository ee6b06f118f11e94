"""The file of corrections: read by line, written whole, and refused with what to do."""

import multiprocessing
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlproj.data.corrections_file import Correction, digest_of, read_corrections, write_corrections
from mlproj.errors import InvalidInput

HEAD = "id,label,was,by,date\n"
MALFORMED: dict[str, tuple[bytes, Sequence[str]]] = {
    "empty": (b"", ["corrections.csv", "is empty", "Its header is id,label,was,by,date"]),
    "blank lines only": (b"\n \n\n", ["is empty"]),
    "no header": (b"7,cat,dog,anna,2026-01-02\n", ["corrections.csv:1", "no column 'id'", "Its header is"]),
    "a column misspelt": (b"id,lable,was,by,date\n7,a,b,,\n", ["no column 'label'", "Is it `lable`?"]),
    "a column missing": (b"id,label,by,date\n7,a,anna,\n", ["no column 'was'"]),
    "a column twice": (b"id,label,was,by,date,was\n7,a,b,,,b\n", ["column 'was' 2 times", "Keep one"]),
    "a column of somebody's own": (
        b"id,label,was,by,date,why\n7,a,b,,,x\n", ["'why' that is not known", "would be lost"]
    ),
    "semicolons": (b"id;label;was;by;date\n7;a;b;;\n", ["not separated by commas", "Save it with commas"]),
    "tabs": (b"id\tlabel\twas\tby\tdate\n", ["not separated by commas"]),
    "a comma too many": (f"{HEAD}7,a,b,anna,2026-01-02,\n".encode(), [":2", "holds 6 cells", "the header names 5"]),
    "a comma too few": (f"{HEAD}7,a\n".encode(), [":2", "holds 2 cells", "an empty cell keeps its comma"]),
    "an id missing": (f"{HEAD},a,b,,\n".encode(), [":2: id: is empty", "Fill it in, or delete the line."]),
    "a label missing": (f"{HEAD}7,,b,,\n".encode(), [":2: label: is empty"]),
    "a was missing": (f"{HEAD}7,a,,,\n".encode(), [":2: was: is empty"]),
    "nothing corrected": (f"{HEAD}7,a,a,,\n".encode(), [":2: label: 'a' is what `was` says", "delete the line"]),
    "an id twice": (f"{HEAD}7,a,b,,\n7,c,b,,\n".encode(), [":3: id: '7'", "in line 2 already", "Keep one"]),
    "a German date": (f"{HEAD}7,a,b,,02.01.2026\n".encode(), [":2: date: '02.01.2026'", "Write it as 2026-03-01"]),
    "no such day": (f"{HEAD}7,a,b,,2026-02-30\n".encode(), [":2: date: '2026-02-30' is no date"]),
    "a week": (f"{HEAD}7,a,b,,2026-W01-1\n".encode(), ["'2026-W01-1' is no date"]),
    "a merge conflict": (
        f"{HEAD}<<<<<<< HEAD\n7,a,b,,\n=======\n7,c,b,,\n>>>>>>> anna\n".encode(),
        [":2", ":4", ":6", "a merge conflict of git", "delete the marks"],
    ),
    "a merge conflict on top": (b"<<<<<<< HEAD\nid,label,was,by,date\n", [":1", "a merge conflict of git"]),
    "a quote left open": (f'{HEAD}7,"a,b,,\n8,a,b,,\n'.encode(), [":2", "cannot be read as CSV", "Close every quote"]),
    "Latin-1": (f"{HEAD}7,a,b,,\n8,K\xf6ter,b,,\n".encode("latin-1"), [":3", "is not UTF-8", "Save it as CSV"]),
    "UTF-16": (f"{HEAD}7,a,b,,\n".encode("utf-16"), ["is UTF-16, not CSV in UTF-8"]),
    "an Excel file": (b"PK\x03\x04rest", ["is an Excel or zip file", "Save it as CSV in UTF-8"]),
    "binary": (b"id,\0\0\0", ["is no text"]),
}  # fmt: skip


def refusal(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_corrections(path, path.name)
    return str(caught.value)


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_file_is_refused_by_line_with_the_next_step(tmp_path: Path, what: str) -> None:
    content, words = MALFORMED[what]
    (tmp_path / "corrections.csv").write_bytes(content)
    said = refusal(tmp_path / "corrections.csv")
    assert all(word in said for word in words), said


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "does not exist\n  Restore it (git checkout)" in refusal(tmp_path / "corrections.csv")
    (tmp_path / "corrections.csv").mkdir()
    assert "is a folder" in refusal(tmp_path / "corrections.csv")


def test_all_problems_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(f"{HEAD},a,b,,\n7,a\n8,a,b,,soon\n", encoding="utf-8")
    assert [line.partition(": ")[0] for line in refusal(tmp_path / "c.csv").splitlines()[::2]] == [
        "c.csv:2", "c.csv:3", "c.csv:4"
    ]  # fmt: skip


def test_of_thousands_of_problems_the_first_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEAD + "".join(f"{i},a,b,,soon\n" for i in range(1000)), encoding="utf-8")
    said = refusal(tmp_path / "c.csv")
    assert "and 980 more problems" in said
    assert len(said.splitlines()) == 41


def test_a_file_may_be_edited_by_hand(tmp_path: Path) -> None:
    text = '\ufeffdate,by,was,label,id\r\n,, dog , cat ,7\r\n\r\n2026-01-02,"Anna, Ben",a,"b\nc",8\r\n'
    (tmp_path / "c.csv").write_bytes(text.encode())
    first, second = read_corrections(tmp_path / "c.csv")
    assert first == Correction("7", "cat", "dog", line=2)
    assert (second.label, second.by, second.date, second.line) == ("b\nc", "Anna, Ben", "2026-01-02", 4)


def test_a_header_alone_corrects_nothing(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEAD, encoding="utf-8")
    assert read_corrections(tmp_path / "c.csv") == ()


def test_it_is_written_in_the_order_of_the_ids_one_line_each(tmp_path: Path) -> None:
    rows = [Correction("b", "x", "y", "anna", "2026-01-02"), Correction("a", "x,z", "y")]
    write_corrections(tmp_path / "c.csv", rows)
    assert (tmp_path / "c.csv").read_text(encoding="utf-8") == f'{HEAD}a,"x,z",y,,\nb,x,y,anna,2026-01-02\n'
    write_corrections(tmp_path / "c.csv", [Correction("a", "1", "0", of="cat")])
    assert (tmp_path / "c.csv").read_text(encoding="utf-8") == "id,label,was,by,date,of\na,1,0,,,cat\n"


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8, unique_by=lambda row: row[0]))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("written") / "c.csv"
    wanted = [Correction(name, f"{label}!", was) for name, label, was in rows if f"{label}!" != was]
    write_corrections(path, wanted)
    found = read_corrections(path)
    assert sorted((r.id, r.label, r.was) for r in found) == sorted((r.id, r.label, r.was) for r in wanted)
    assert digest_of(found) == digest_of(wanted)


def _write_and_die(path: Path, die_in: str) -> None:
    import os

    def die(*_: object) -> None:
        os._exit(9)

    if die_in == "sync":
        os.fsync = die  # type: ignore[assignment]  # the process ends where the disk would be waited for
    else:
        Path.replace = die  # type: ignore[assignment, method-assign]
    write_corrections(path, [Correction("8", "new", "old")])


@pytest.mark.parametrize("die_in", ["sync", "rename"])
def test_a_writer_that_is_killed_leaves_the_old_file(tmp_path: Path, die_in: str) -> None:
    path = tmp_path / "c.csv"
    write_corrections(path, [Correction("7", "cat", "dog")])
    old = path.read_bytes()
    process = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(path, die_in))
    process.start()
    process.join()
    assert (process.exitcode, path.read_bytes()) == (9, old)


def test_the_digest_says_what_is_corrected_and_not_by_whom(make: Callable[..., Correction]) -> None:
    rows = [make("7", "cat"), make("8", "dog")]
    assert digest_of(rows) == digest_of(rows[::-1]) == digest_of([make("7", "cat", by="x"), make("8", "dog")])
    assert digest_of(rows) != digest_of([make("7", "dog"), make("8", "dog")])


@pytest.fixture
def make() -> Callable[..., Correction]:
    def correction(name: str, label: str, by: str = "anna") -> Correction:
        return Correction(name, label, "bird", by)

    return correction
