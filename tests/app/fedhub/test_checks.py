"""System checks of settings that do not fit together."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from fedhub.checks import check_debug


@pytest.mark.parametrize(
    ("debug", "hosts", "found"),
    [
        (True, ["localhost", "127.0.0.1", "[::1]"], []),
        (False, ["hub.example.com"], []),
        (True, ["localhost", "hub.example.com"], ["fedhub.W003"]),
        (True, ["*"], ["fedhub.W003"]),
    ],
)
def test_debug_for_others_than_this_machine_is_warned_of(
    settings: Settings, debug: bool, hosts: list[str], found: list[str]
) -> None:
    settings.DEBUG = debug
    settings.ALLOWED_HOSTS = hosts
    assert [message.id for message in check_debug(None)] == found
