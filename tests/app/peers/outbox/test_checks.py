"""The system check of the configured handlers."""

from __future__ import annotations

from django.conf import LazySettings

from peers.checks import check_handlers


def test_a_handler_that_cannot_be_imported_is_named(settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = ["peers.handlers.EchoAgents", "peers.handlers.Mistyped", "nowhere.Nobody"]
    assert [message.id for message in check_handlers(None)] == ["fedhub.E012"] * 2
    assert "peers.handlers.Mistyped" in check_handlers(None)[0].msg


def test_without_handlers_the_check_passes(settings: LazySettings) -> None:
    settings.FEDHUB_HANDLERS = []
    assert check_handlers(None) == []
