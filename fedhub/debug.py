"""What Django's debug pages and error mails must not show: the values of secret settings, and userinfo in addresses."""

from __future__ import annotations

import os
import re
from typing import Any

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from core import environment

STARS = SafeExceptionReporterFilter.cleansed_substitute
USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{1,20}://)[^\s/?#'\"<>&]*(?:&(?!quot;|#x27;|lt;|gt;)[^\s/?#'\"<>&]*)*@")
"""The userinfo of an address (RFC 3986, section 3.2.1), also where HTML has escaped it."""

MIN_SECRET_CHARS = 6
"""A shorter value is hidden in its variable alone: the search for it would turn ordinary words into stars."""


class HidingReporterFilter(SafeExceptionReporterFilter):
    """The filter that Django's debug pages and error mails use: it hides values whose names look secret.

    It covers the settings and `request.META`, because META holds all environment variables.
    """

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """Return the value, or stars for a secret; userinfo in an address is replaced by stars."""
        if isinstance(key, str) and key.removesuffix("_FILE") in environment.secret_names():
            return STARS if value else value
        cleansed = super().cleanse_setting(key, value)
        return hide_userinfo(cleansed) if isinstance(cleansed, str) else cleansed


class HidingReporter(ExceptionReporter):
    """The reporter of Django's debug pages and error mails: it hides the values of secrets in the finished page.

    So a secret is hidden wherever it stands, also in a local variable or in the message of an exception.
    """

    def get_traceback_html(self) -> SafeString:
        """Return the page without secrets."""
        return SafeString(hide(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        """Return the text without secrets."""
        return SafeString(hide(super().get_traceback_text()))


def hide(page: str) -> str:
    """Return the page with stars in place of userinfo and of the values of secrets."""
    page = hide_userinfo(page)
    secrets = environment.secret_values() | made_keys() | secrets_of_libraries()
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= MIN_SECRET_CHARS:
            for spelling in {value, escape(value), repr(value)[1:-1], escape(repr(value)[1:-1])}:
                page = page.replace(spelling, STARS)
    return page


def made_keys() -> frozenset[str]:
    """Return the secret keys that the hub has made itself; the default values of address settings are not secrets."""
    made = (str(getattr(settings, name, "")) for name in environment.secret_names())
    return frozenset(value for value in made if value and "://" not in value)


def secrets_of_libraries() -> frozenset[str]:
    """Return the values of environment variables whose names look secret, such as AWS's; a path is not secret."""
    is_secret = SafeExceptionReporterFilter.hidden_settings.search
    return frozenset(
        value
        for name, value in os.environ.items()
        if is_secret(name) and not name.endswith(("_PATH", "_FILE", "_DIR", "_URL"))
    )


def hide_userinfo(text: str) -> str:
    """Return the text with stars in place of the userinfo of each address."""
    return USERINFO.sub(rf"\1{STARS}@", text)
