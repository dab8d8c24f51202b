"""A mail server and a web server that notifications are really sent to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_network
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.conf import LazySettings


@dataclass
class Inbox:
    """The mails that the server took. It refuses receivers whose address begins with a text of `refused`."""

    mails: list[EmailMessage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        for start, answer in self.refused.items():
            if address.startswith(start):
                return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        return "250 OK"

    @property
    def texts(self) -> dict[str, str]:
        """The text of the last mail of each receiver."""
        return {str(mail["To"]): mail.get_content() for mail in self.mails}


@pytest.fixture(scope="module")
def mail_server() -> Iterator[tuple[Inbox, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Inbox()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, port
    server.stop()


@pytest.fixture
def inbox(mail_server: tuple[Inbox, int], settings: LazySettings) -> Inbox:
    box, port = mail_server
    box.mails.clear()
    box.refused.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.DEFAULT_FROM_EMAIL = "fedhub@example.com"
    return box


@pytest.fixture
def loopback_allowed(settings: LazySettings) -> None:
    settings.FEDHUB_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
