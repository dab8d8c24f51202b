"""Texts of the OpenAPI description as HTML."""

from __future__ import annotations

import re
from html import escape

from django.utils.safestring import SafeString, mark_safe

_CODE = re.compile(r"`([^`]+)`")


def prose(text: str) -> SafeString:
    """Return a text with its words in backticks as code; everything else is escaped."""
    # The text is escaped before the elements are added.
    return mark_safe(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S308
