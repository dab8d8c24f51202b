from __future__ import annotations

import pytest

from core.notifications.email_url import email_settings


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", ("mail.example.com", 587, "", "", True, False)),
        ("smtp://hub:p%40ss@mail.example.com:25", ("mail.example.com", 25, "hub", "p@ss", True, False)),
        ("smtps://hub:word@mail.example.com", ("mail.example.com", 465, "hub", "word", False, True)),
        ("smtp+plain://localhost:1025", ("localhost", 1025, "", "", False, False)),
    ],
)
def test_a_url_names_a_mail_server(url: str, expected: tuple[object, ...]) -> None:
    found = email_settings(url)
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    assert tuple(found[f"EMAIL_{name}"] for name in names) == expected


def test_no_url_is_no_mail_server() -> None:
    assert email_settings("") == {"EMAIL_HOST": ""}


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://hub@mail.example.com",
        "smtp://:pass-word@mail.example.com",
        "smtp://hub:pass-word@mail.example.com:0",
        "smtp://hub:pass-word@mail.example.com:many",
        "smtp://hub:pass-word@mail.example.com/box",
        "smtp://hub:pass-word@mail.example.com?tls=no",
        "smtp+plain://hub:pass-word@mail.example.com",
    ],
)
def test_another_text_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        email_settings(url)
    assert "pass-word" not in str(refused.value)
