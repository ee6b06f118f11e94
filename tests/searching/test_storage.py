"""Journals that were torn, locked, damaged or full, and databases that cannot be used."""

import errno
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from mlproj.errors import InvalidInput, MlprojError
from mlproj.searching import storage as module
from mlproj.searching.storage import explained, open_storage, repair, together


def fill(storage: BaseStorage, n: int = 3) -> optuna.Study:
    """A study with a few trials."""
    study = optuna.create_study(study_name="s", storage=storage)
    for i in range(n):
        study.add_trial(optuna.trial.create_trial(value=float(i)))
    return study


def values(journal: Path) -> list[float | None]:
    """What Optuna's own client reads."""
    study = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(journal))))
    return [trial.value for trial in study.get_trials()]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with a study and three trials."""
    path = tmp_path / "optuna.journal"
    with explained():
        fill(open_storage(path))
    return path


def test_the_journal_is_made_with_its_folder_and_read_by_optunas_own_client(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mlruns" / "optuna.journal"
    with explained():
        fill(open_storage(path))
    assert values(path) == [0, 1, 2]


def test_the_journal_is_written_as_optuna_writes_it(journal: Path, tmp_path: Path) -> None:
    with explained():
        fill(JournalStorage(JournalFileBackend(str(tmp_path / "optunas"))))
    changing = re.compile(rb'"worker_id":"[^"]*"|"datetime_\w+":"[^"]*"')
    assert changing.sub(b"", journal.read_bytes()) == changing.sub(b"", (tmp_path / "optunas").read_bytes())


def test_a_journal_cut_off_at_any_byte_keeps_its_whole_records_and_takes_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "optuna.journal"
    with explained():
        study = fill(open_storage(path), 1)
        for i in range(2):
            study.set_user_attr("x", i)
    whole = path.read_bytes()
    start = sum(len(line) for line in whole.splitlines(keepends=True)[:-2])
    for size in range(start, len(whole)):
        path.write_bytes(whole[:size])
        said: list[str] = []
        with explained():
            study = optuna.load_study(study_name="s", storage=open_storage(path, say=said.append))
            assert study.user_attrs.get("x") == (None, 0)[whole[:size].count(b"\n") - 2]
            study.add_trial(optuna.trial.create_trial(value=7.0))
        torn = size - (whole[:size].rfind(b"\n") + 1)
        assert (f"its {torn} bytes were removed" in "".join(said)) == bool(torn)
        assert values(path) == [0, 7]


def test_only_what_is_torn_is_cut(journal: Path, tmp_path: Path) -> None:
    whole = journal.read_bytes()
    assert repair(journal) == 0
    with journal.open("ab") as file:
        file.write(b"\0" * 5000)
    assert repair(journal) == 5000
    assert journal.read_bytes() == whole
    assert repair(tmp_path / "missing") == 0


def test_a_record_that_another_client_left_half_written_is_not_glued_to_ours(journal: Path) -> None:
    with explained():
        study = optuna.load_study(study_name="s", storage=open_storage(journal))
        with journal.open("ab") as file:
            file.write(b'{"op_code":4,"wor')
        study.add_trial(optuna.trial.create_trial(value=7.0))
    assert values(journal) == [0, 1, 2, 7]


@pytest.mark.parametrize(
    ("target", "seconds"),
    [("optuna.journal", 0.2), ("/nowhere/optuna.journal", 0.2), ("/nowhere/./optuna.journal", 0.0)],
)
def test_the_lock_of_a_killed_process_is_broken_a_drivers_at_once(
    journal: Path, monkeypatch: pytest.MonkeyPatch, target: str, seconds: float
) -> None:
    monkeypatch.setattr(module, "STALE", 0.2)
    lock = Path(f"{journal}.lock")
    lock.symlink_to(target)  # in a folder that was moved it leads nowhere
    began = time.monotonic()
    with explained():
        optuna.load_study(study_name="s", storage=open_storage(journal)).set_user_attr("a", 1)
    assert seconds <= time.monotonic() - began < 2
    assert not lock.is_symlink()


def test_the_lock_of_a_driver_is_known_from_that_of_others(journal: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from mlproj.searching.storage import _locked\n"
        "with _locked(Path(sys.argv[1])): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(journal)], check=False, cwd=Path(module.__file__).parents[2])
    assert Path(f"{journal}.lock").resolve() == journal.resolve()
    began = time.monotonic()
    open_storage(journal)
    assert time.monotonic() - began < 1


def test_a_lock_in_use_is_waited_for(journal: Path) -> None:
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()
    threading.Timer(0.3, lock.release).start()
    began = time.monotonic()
    open_storage(journal)
    assert 0.2 < time.monotonic() - began < 2


def test_a_relative_path_does_not_make_a_lock_that_leads_nowhere(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(journal.parent.parent)
    storage = open_storage(journal.relative_to(Path.cwd()))
    assert Path(storage._backend._path).is_absolute()  # type: ignore[attr-defined]


def test_a_record_that_does_not_fit_leaves_no_part_of_it(journal: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    whole = journal.read_bytes()
    study = optuna.load_study(study_name="s", storage=open_storage(journal))
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 40, usual[1]))
        with pytest.raises(MlprojError, match=r"cannot be read or written: .*File too large"), explained():
            study.set_user_attr("x", "y" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, previous)
    assert journal.read_bytes() == whole
    study.set_user_attr("x", 1)
    assert values(journal) == [0, 1, 2]


def test_what_is_written_together_is_read_at_once_and_reaches_the_disk_with_one_wait(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(journal)
    study = optuna.load_study(study_name="s", storage=storage)
    before, waits, sync = journal.read_bytes(), list[int](), os.fsync

    def count(fd: int) -> None:
        waits.append(fd)
        sync(fd)

    monkeypatch.setattr(os, "fsync", count)
    with explained(), together(storage):
        for value in (3.0, 4.0, 5.0):
            trial = study.ask()
            trial.set_user_attr("number", value)
            study.tell(trial, value)
        assert [(trial.value, trial.user_attrs.get("number")) for trial in study.get_trials()[3:]] == [
            (value, value) for value in (3.0, 4.0, 5.0)
        ]
        assert journal.read_bytes() == before
    assert len(waits) == 1
    assert values(journal) == [0, 1, 2, 3, 4, 5]
    study.tell(study.ask(), 6.0)
    assert values(journal)[-1] == 6.0


def test_what_does_not_fit_together_is_left_out_and_nothing_follows_it(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(journal)
    study, before = optuna.load_study(study_name="s", storage=storage), journal.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(MlprojError, match="The disk is full"), explained(), together(storage):
            study.tell(study.ask(), 3.0)
    with pytest.raises(MlprojError, match="The disk is full"), explained():
        study.ask()  # the trials in memory are not those of the file
    assert journal.read_bytes() == before
    assert values(journal) == [0, 1, 2]


def test_a_full_disk_says_what_to_do() -> None:
    with pytest.raises(MlprojError, match=r"disk is full.*Make room.*mlproj search --resume"), explained():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("at", [0, 3, 4])
@pytest.mark.parametrize("line", [b'{"op_code":4,{"op_code":4}\n', b"\n", b"[]\n", b"{}\n"])
def test_a_damaged_journal_names_the_line(journal: Path, line: bytes, at: int) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:at], line, *lines[at:]]))
    with pytest.raises(
        MlprojError, match=rf"optuna\.journal is damaged: line {at + 1} is no record\. Delete that line"
    ):
        open_storage(journal)


def test_a_journal_that_was_deleted_meanwhile_is_not_begun_anew(journal: Path) -> None:
    study = optuna.load_study(study_name="s", storage=open_storage(journal))
    journal.unlink()
    with pytest.raises(MlprojError, match=r"cannot be read or written: .*No such file"), explained():
        study.set_user_attr("x", 1)
    assert not journal.exists()


def test_no_line_of_optuna_is_seen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    with explained():
        fill(open_storage(tmp_path / "j"))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


# ---------------------------------------------------------------- databases


def test_a_database_takes_the_place_of_the_journal(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "optuna.journal", f"sqlite:///{tmp_path}/studies.db")
    with explained():
        study = fill(storage)
    assert [trial.value for trial in study.get_trials()] == [0, 1, 2]
    assert not (tmp_path / "optuna.journal").exists()


def test_several_searches_may_open_an_empty_database_at_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(open_: Callable[[], object]) -> None:
        try:
            open_()
        except BaseException as error:  # noqa: BLE001 a thread would swallow it
            failures.append(error)

    url = f"sqlite:///{tmp_path}/studies.db"
    opens = [threading.Thread(target=work, args=(lambda: open_storage(tmp_path / "j", url),)) for _ in range(6)]
    for thread in opens:
        thread.start()
    for thread in opens:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres", "'postgres' is no database URL\n  Write `postgresql"),
        ("oracel://me:hunter2@host/db", r"'oracel://\*\*\*@host/db' names no kind of database"),
        ("postgresql+psycopgg://me:hunter2@host/db", "names no kind of database that is known\n  Write"),
        ("postgresql://me:hunter2@host:port/db", r"'postgresql://\*\*\*@host:port/db' is no database URL"),
        ("sqlite:////nowhere/at/all.db", "cannot be used: unable to open database file"),
        (
            "mysql://me:hunter2@host/db",
            r"'mysql://me:\*\*\*@host/db' needs the Python package MySQLdb.*\n.*mysqlclient",
        ),
        ("mysql://me:hun%7Bter2@host/db", r"'mysql://me:\*\*\*@host/db' needs the Python package"),
    ],
)
def test_a_url_that_leads_nowhere_is_explained_without_its_password(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=f"search.storage: .*{message}") as info:
        open_storage(tmp_path / "j", url)
    assert "hunter2" not in str(info.value)


def test_a_database_of_another_version_of_optuna_is_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    open_storage(tmp_path / "j", url)
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    connection.close()
    with pytest.raises(InvalidInput, match=r"another version of Optuna.*\n.*optuna storage upgrade"):
        open_storage(tmp_path / "j", url)


def test_a_database_that_fails_meanwhile_says_how_to_go_on(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "j", f"sqlite:///{tmp_path}/studies.db")
    study = fill(storage)
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        connection.execute("DROP TABLE study_user_attributes")
    connection.close()
    with (
        pytest.raises(MlprojError, match=r"database of `search.storage` failed: no such table.*search --resume"),
        explained(),
    ):
        study.set_user_attr("x", 1)
