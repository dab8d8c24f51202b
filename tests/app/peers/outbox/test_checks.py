"""The system check of the configured handlers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from peers.checks import check_handlers


def test_a_handler_that_cannot_be_imported_is_named(settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = ["docs.echo_agents.EchoAgents", "peers.handlers.Mistyped", "nowhere.Nobody"]
    assert [message.id for message in check_handlers(None)] == ["fedhub.E012"] * 2
    assert "peers.handlers.Mistyped" in check_handlers(None)[0].msg


def test_without_handlers_the_check_passes(settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = []
    assert check_handlers(None) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import os; os.environ['FEDHUB_TEST_IS_NOT_SET']", "KeyError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Odd(BaseException): ...\nraise Odd('odd')", "Odd: odd"),
        ("(", "SyntaxError"),
        ("raise RecursionError", "RecursionError"),
        ("from django.contrib.auth.models import Nothing", "ImportError"),
        ("Handler = 1", "not a class"),
    ],
)
def test_a_module_that_raises_at_import_is_named_with_the_reason(
    line: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    (tmp_path / "faulty_handlers.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    # A module that another case imported stays known by its name.
    monkeypatch.delitem(sys.modules, "faulty_handlers", raising=False)
    settings.FEDHUB_HANDLERS = ["faulty_handlers.Handler"]

    (message,) = check_handlers(None)

    assert message.id == "fedhub.E012"
    assert "faulty_handlers.Handler" in message.msg
    assert reason in message.msg
    with pytest.raises(CommandError, match=r"E012"):
        call_command("check")
