"""What went wrong with the store, in words."""

from pathlib import Path

import pytest

from mlproj.track.store import Store
from mlproj.track.trouble import StoreError, explain

STORE = Store(Path("/p/mlruns"), "sqlite:////p/mlruns/mlflow.db")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT", "Free some space"),
        ("(sqlite3.OperationalError) database is locked", "Another process"),
        ("attempt to write a readonly database", "Check who owns it"),
        ("file is not a database", "damaged"),
        ("Detected out-of-date database schema (found version a)", "mlflow db upgrade sqlite:////p/mlruns/mlflow.db"),
        ("Can't locate revision identified by 'ffff'", "Upgrade mlflow"),
        ("API request failed: Max retries exceeded with url", "Is it running?"),
        ("API request to endpoint failed with error code 401 != 200", "MLFLOW_TRACKING_USERNAME"),
    ],
)
def test_known_troubles_come_with_advice(said: str, advice: str) -> None:
    message = explain(RuntimeError(said), STORE)
    assert message.startswith("The run store mlruns/ failed: ")
    assert advice in message
    assert "SQL:" not in message


def test_an_unknown_trouble_is_named_with_its_type_where_the_text_says_nothing() -> None:
    assert explain(KeyError("x"), STORE) == "The run store mlruns/ failed: KeyError: 'x'"
    assert "RuntimeError" in explain(RuntimeError(), STORE)
    assert len(explain(RuntimeError("x" * 5000), STORE)) < 700


def test_an_explained_trouble_stays_as_it_is() -> None:
    assert explain(StoreError("all said"), STORE) == "all said"


def test_a_password_is_not_repeated() -> None:
    store = Store(Path("/p/mlruns"), "postgresql://me:secret@host/db", is_default=False)
    assert "secret" not in explain(RuntimeError("out-of-date database schema"), store)
