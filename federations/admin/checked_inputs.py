"""Inputs of a federation's form that the hub checks while staff type, and the button that tests the connection.

Below each input stands a live region. htmx posts the form to the page `check` beside the form, which answers with the
verdict about one field; the form itself makes that verdict, so typing and saving never disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from federations.admin.list_fields import PairsWidget


class Checked(forms.Widget):
    """The mixin of a widget with a live region below it; list it before the widget.

    `known` are values to pick from, with their descriptions; the form may set it.
    """

    known: Mapping[str, str] = {}

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        more = {"aria-describedby": f"id_{name}_check"}
        if self.known:
            more |= {"list": f"id_{name}_known", "autocomplete": "off"}
        # Django's renderer of forms does not find the hub's own templates.
        below = render_to_string("federations/checked.html", {"name": name, "known": self.known.items()})
        return format_html("{}{}", super().render(name, value, {**(attrs or {}), **more}, renderer), below)


class CheckedTextInput(Checked, UnfoldAdminTextInputWidget):
    """A checked line of text."""


class CheckedPairsWidget(Checked, PairsWidget):
    """The checked rows of the tag filter."""


class ConnectionWidget(forms.Widget):
    """The button that tests the connection with what is typed, and the place of its result. It has no value."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string("federations/connection_field.html")

    def id_for_label(self, id_: str) -> str:
        # A label would replace the name of the button.
        return ""

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False
