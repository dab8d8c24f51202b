"""A lost race is a 409 or is run again; it is never a 500."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from pymongo.errors import OperationFailure, PyMongoError

from core.api.errors import exception_handler
from core.store import unit_of_work as unit_of_work_module
from core.store.unit_of_work import LostRaceError, retried, unit_of_work

LABELED = {"errorLabels": ["TransientTransactionError"]}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        caused(DatabaseError(), OperationFailure("WriteConflict", 112, LABELED)),
        caused(DatabaseError(), PyMongoError("election", ["TransientTransactionError"])),
        caused(OperationalError(), DeadlockDetected()),
        caused(OperationalError(), SerializationFailure()),
        OperationFailure("WriteConflict", 112, LABELED),
    ],
)
def test_what_databases_say_of_collisions_is_a_lost_race(error: Exception) -> None:
    with pytest.raises(LostRaceError), unit_of_work():
        raise error


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error",
    [
        caused(IntegrityError(), UniqueViolation()),
        caused(DatabaseError(), OperationFailure("Unauthorized", 13)),
        DatabaseError("disk full"),
        ValueError("a mistake"),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, unit_of_work():
        raise error
    assert raised.value is error


def test_a_lost_race_is_told_as_a_conflict() -> None:
    response = exception_handler(LostRaceError(), {})
    assert response.status_code == 409
    assert response.data["detail"]["error"] == "conflict"


@pytest.mark.parametrize("losses", [0, 1, 5])
def test_a_lost_race_is_run_again(losses: int) -> None:
    runs: list[int] = []

    @retried
    def run(result: str) -> str:
        runs.append(1)
        if len(runs) <= losses:
            raise LostRaceError
        return result

    assert run("done") == "done"
    assert len(runs) == losses + 1


def test_running_again_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_of_work_module, "RETRY_SECONDS", 0.2)
    runs: list[int] = []

    @retried
    def run() -> None:
        runs.append(1)
        raise LostRaceError

    with pytest.raises(LostRaceError):
        run()
    assert len(runs) > 2
