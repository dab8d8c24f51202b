"""Rows that are inserted by one statement are those that Django's own method inserts."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError
from django.forms.models import model_to_dict

from core.store.many_rows import insert_each
from core.store.unit_of_work import unit_of_work
from peers.models import Intent

pytestmark = pytest.mark.django_db
STATES: list[dict[str, object]] = [{"nested": [1.5, None, True]}, {"nested": []}, {}]
AT = dt.datetime(2026, 5, 4, 3, 2, 1, 123000, tzinfo=dt.UTC)


def intent(number: int) -> Intent:
    """Return a row that has the time of its creation in common with every other row, and its state with every third."""
    return Intent(
        id=f"i-{number}",
        title="Quotes \"' % %s \u2028 é",
        state=STATES[number % 3],
        created_at=AT,
        updated_at=AT + dt.timedelta(seconds=number),
    )


def test_the_rows_are_those_of_bulk_create() -> None:
    with unit_of_work():
        Intent.objects.bulk_create([intent(number) for number in range(7)])
    expected = {row.pk: (model_to_dict(row), row.created_at, row.updated_at) for row in Intent.objects.all()}
    Intent.objects.all().delete()
    rows = [intent(number) for number in range(7)]
    with unit_of_work():
        insert_each(rows)
    assert {row.pk: (model_to_dict(row), row.created_at, row.updated_at) for row in Intent.objects.all()} == expected
    assert not any(row._state.adding for row in rows)
    rows[0].title = "An update, since the row is stored"
    rows[0].save()
    assert Intent.objects.count() == 7


def test_more_rows_than_one_statement_of_django_holds() -> None:
    with unit_of_work():
        insert_each([intent(number) for number in range(300)])
        insert_each([])
    assert Intent.objects.count() == 300


def test_a_known_key_raises_as_django_does() -> None:
    with pytest.raises(IntegrityError), unit_of_work():
        insert_each([intent(1), intent(1)])
