"""The buttons in the live part of a page, which come and go with the state: each opens the dialog of an action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.enums import ActionVariant

from core.admin.row_pages import BACK
from core.strict_json import JsonObject
from federations.admin.run_actions import buttons_of
from federations.models import AgentRun


def buttons_for(model_admin: ModelAdmin, object_id: str, names: Iterable[str]) -> list[JsonObject]:
    """Return the buttons of actions of a row's page, by the names of their methods."""
    space = f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}"
    found: list[JsonObject] = []
    for name in names:
        method: Any = getattr(model_admin, name)
        found.append(
            {
                "id": name.replace("_", "-"),
                "text": method.short_description,
                "icon": method.icon,
                "is_primary": method.variant == ActionVariant.PRIMARY,
                "href": reverse(f"{space}_{name}", args=[object_id]),
            }
        )
    return found


def run_buttons(request: HttpRequest, run: AgentRun, *, back_url: str) -> list[JsonObject]:
    """Return the buttons of a run for a page that shows the run beside other things, and to which they lead back."""
    query = urlencode({BACK: back_url})
    return [button | {"href": f"{button['href']}?{query}"} for button in buttons_of(request.user, run)]
