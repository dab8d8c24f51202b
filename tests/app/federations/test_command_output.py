"""Warnings in the output of the commands, from rows and values that have them."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper

from core.console import make_console
from federations.management.output import show_outcome
from federations.models import Federation
from federations.sync.summary import summarize
from tests.api.contract import with_job

LOST = {"kind": "resource_template", "name": "[red]x", "runtimeId": "demo-0123456789", "message": "it has no uri"}
MORE = {"kind": "more", "name": "", "runtimeId": "", "message": "and 12 more"}


def test_an_outcome_prints_one_line_for_each_warning() -> None:
    output = StringIO()
    show_outcome(make_console(OutputWrapper(output)), summarize(()).to_dict(), [], [LOST, MORE])
    lines = output.getvalue().splitlines()
    assert lines[-2:] == [
        "warning: resource template [red]x of runtime demo-0123456789: it has no uri",
        "warning: and 12 more",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(("count", "end"), [(0, "=0"), (1, "1 warning"), (3, "3 warnings")])
def test_a_job_is_listed_with_the_number_of_its_warnings(federation: Federation, count: int, end: str) -> None:
    with_job(federation, warning_count=count)
    output = StringIO()
    call_command("federation_jobs", stdout=output)
    (line,) = output.getvalue().splitlines()[1:]
    assert line.strip().endswith(end)
