"""The page that asks before an action on ticked rows that cannot be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

CONFIRMED = "confirmed"
MOST_NAMES = 20


def is_confirmed(request: HttpRequest) -> bool:
    """Tell whether the person has answered the page of `ask_first`."""
    return CONFIRMED in request.POST


def ask_first(
    page: Any,
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    title: str,
    follows: str,
    name_of: Callable[[Any], str] = str,
) -> TemplateResponse:
    """Return the page that names the ticked rows and what follows, and that sends the action again.

    `page` is the admin page of the list, `title` is also the text of the button, and `name_of` returns a row's name.
    """
    is_all = request.POST.get("select_across") == "1"
    picked = request.POST.getlist(ACTION_CHECKBOX_NAME)
    number = rows.count()
    request.current_app = page.admin_site.name
    context = {
        **page.admin_site.each_context(request),
        "title": title,
        "names": [name_of(row) for row in rows[:MOST_NAMES]],
        "further": max(0, number - MOST_NAMES),
        "follows": follows,
        "action_name": request.POST.get("action", ""),
        # With "select all" the filters of the address select the rows, and Django asks for one ticked row.
        "picked": picked[:1] if is_all else picked,
        "select_across": int(is_all),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "confirmed": CONFIRMED,
        "back_url": request.get_full_path(),
    }
    return TemplateResponse(request, "core/ask_first.html", context)
