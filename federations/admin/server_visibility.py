"""The visibility of MCP servers for readers without a token: the filter, and the pages that ask before a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from core.actors import actor_of
from core.admin.labels import count_text, label
from federations.models import McpServer
from federations.services.server_visibility import set_public

MAY_PUBLISH = "federations.publish_mcpserver"
SHOWN_SERVERS = 20
VISIBILITY_COLORS = {"public": "success", "private": "default"}
CHANGED_MEANWHILE = "The servers or their visibility changed since this page was opened. Look at them again."
WHILE_OFF = "The public registry is off (FEDHUB_PUBLIC_REGISTRY), so this holds when it is on."

Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the two changes: the name of its page, its words and its icon. `listed` describes the action of a list."""

    page: str
    is_public: bool
    text: str
    icon: str
    listed: str


PUBLISH = Choice("publish", True, "Make public", "public", "Make public…: everyone reads them in the registry's API")
HIDE = Choice("hide", False, "Hide", "visibility_off", "Hide…: only callers with a token read them")
CHOICES = (PUBLISH, HIDE)


class PublicFilter(DropdownFilter):
    """Keep the servers of one visibility."""

    title = "visibility"
    parameter_name = "public"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "public: everyone reads it in the registry's API"), ("no", "private")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = {"yes": True, "no": False}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(is_public=wanted)


def visibility_label(server: McpServer) -> SafeString:
    """Return the visibility of a server as a colored label."""
    return label("public" if server.is_public else "private", VISIBILITY_COLORS)


def actions_for(request: HttpRequest) -> dict[str, tuple[Action, str, str]]:
    """Return the actions on ticked servers; none for a user who may not publish."""
    if not request.user.has_perm(MAY_PUBLISH):
        return {}
    names = {choice: f"{choice.page}_servers" for choice in CHOICES}
    return {name: (_action(choice), name, choice.listed) for choice, name in names.items()}


def section(request: HttpRequest, server: McpServer) -> SafeString:
    """Return the section of a server's page: who reads it without a token, and the button that changes this."""
    choice = HIDE if server.is_public else PUBLISH
    context = {
        "server": server,
        "label": visibility_label(server),
        "is_off": server.is_public and not settings.FEDHUB_PUBLIC_REGISTRY,
        "choice": choice if request.user.has_perm(MAY_PUBLISH) else None,
        "href": reverse(f"admin:federations_mcpserver_{choice.page}", args=[server.pk]),
    }
    return render_to_string("federations/server_visibility.html", context)


def confirm(request: HttpRequest, servers: QuerySet[Any], choice: Choice, back_url: str) -> HttpResponse:
    """Ask before `servers` change their visibility, or change it if the request confirms exactly these servers."""
    if not request.user.has_perm(MAY_PUBLISH):
        raise PermissionDenied
    rows = list(servers.order_by("server_name", "pk").only("server_name", "path", "url", "account_id", "is_public"))
    if request.POST.get("confirmed") == _digest(rows, choice):
        changed = set_public([row.pk for row in rows], choice.is_public, by=actor_of(request.user))
        words = "everyone reads them in the registry's API" if choice.is_public else "only callers with a token"
        messages.success(request, f"{count_text(changed, 'MCP server')} {_adjective(choice)} from now on: {words}.")
        return HttpResponseRedirect(back_url)
    return _page(request, rows, choice, back_url)


def _action(choice: Choice) -> Action:
    def ask(page: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        return confirm(request, queryset, choice, request.get_full_path())

    return ask


def _adjective(choice: Choice) -> str:
    return "public" if choice.is_public else "private"


def _digest(rows: list[McpServer], choice: Choice) -> str:
    """Return a digest of the servers as the page names them, so that a confirmation holds for exactly these."""
    lines = [f"{row.pk} {row.is_public} {row.url}" for row in rows]
    return sha256("\n".join([choice.page, *lines]).encode()).hexdigest()


def _page(request: HttpRequest, rows: list[McpServer], choice: Choice, back_url: str) -> HttpResponse:
    changed = [row for row in rows if row.is_public is not choice.is_public]
    names = ("action", "select_across", "index", ACTION_CHECKBOX_NAME)
    is_of_a_list = request.method == "POST" and "action" in request.POST
    request.current_app = admin.site.name
    context = {
        "title": f"{choice.text}?",
        "choice": choice,
        "count_text": count_text(len(changed), "MCP server"),
        "servers": changed[:SHOWN_SERVERS],
        "more": max(0, len(changed) - SHOWN_SERVERS),
        "kept": count_text(len(rows) - len(changed), "server") if len(rows) > len(changed) else "",
        "accounts": sorted({row.account_id for row in changed if row.account_id.isdecimal()}),
        "hidden": [(name, value) for name in names for value in request.POST.getlist(name)] if is_of_a_list else [],
        "digest": _digest(rows, choice),
        "notice": CHANGED_MEANWHILE if "confirmed" in request.POST else "",
        "while_off": "" if settings.FEDHUB_PUBLIC_REGISTRY else WHILE_OFF,
        "back_url": back_url,
    }
    return TemplateResponse(request, "federations/publish.html", {**admin.site.each_context(request), **context})
