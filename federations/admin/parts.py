"""The admin pages of all tools and of all skills: a search by the index, a filter by federation, one page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from core.admin.cells import row_link, time_since
from core.admin.labels import count_text
from core.admin.list_chips import Chip, without
from core.admin.list_export import ExportField, csv_response, refusal_of_file
from core.admin.list_page import EXPORT_PERMISSION
from core.errors import ExternalServiceError
from federations.admin.catalog_page import part_address
from federations.admin.catalog_view import skill_entry
from federations.admin.filters import MAX_TAGS
from federations.admin.parameters import parameters_of
from federations.admin.parts_export import PARTS_AT_ONCE, SKILLS_EXPORT, TOOLS_EXPORT, all_parts
from federations.admin.permissions import sees_any_federation
from federations.models import McpServer
from federations.search.base import MAX_LIMIT
from federations.services.access import federations_visible_to
from federations.services.parts import SKILLS, TOOLS, Part, PartKind, PartPage, find_parts, list_parts, part_tags

PER_PAGE = 50
# Weaviate returns no hit beyond this one; a list without a search has no last page.
MAX_PAGE = 1_000_000
MAX_PARAMETERS = 4
MAX_DESCRIPTION_CHARS = 200


@dataclass(frozen=True, slots=True)
class PartsPage:
    """What differs between the page of the tools and the page of the skills.

    `headers` are the headings of the columns and `row` the cells of a part. `owner_permission` lets a user see the
    owners without a federation. `empty_hint` is the text of a page without a part. `export_fields`
    are the columns of the CSV file.
    """

    kind: PartKind
    title: str
    noun: str
    owners: str
    headers: Sequence[str]
    row: Callable[[Part], list[Any]]
    owner_permission: str
    placeholder: str
    empty_hint: str
    export_fields: Sequence[ExportField]


class PartsFilter(forms.Form):
    """The search box, and the choices of a federation and of a cloud tag, above the list."""

    q = forms.CharField(required=False, label="Search", max_length=200)
    federation = forms.ChoiceField(required=False, label="Federation")
    tag = forms.ChoiceField(required=False, label="Cloud tag")

    def __init__(self, *args: Any, user: User | AnonymousUser, shown: PartsPage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tags = [("", "All tags"), *((name, name) for name in part_tags(shown.kind, user, MAX_TAGS))]
        self.fields["tag"] = forms.ChoiceField(
            required=False, label="Cloud tag", choices=tags, widget=UnfoldAdminSelectWidget(choices=tags)
        )
        visible = federations_visible_to(user).order_by("display_name").values_list("pk", "display_name")
        choices = [("", "All federations"), *visible]
        self.fields["federation"] = forms.ChoiceField(
            required=False, label="Federation", choices=choices, widget=UnfoldAdminSelectWidget(choices=choices)
        )
        self.fields["q"].widget = UnfoldAdminTextInputWidget(attrs={"type": "search", "placeholder": shown.placeholder})

    def chosen(self, name: str) -> str:
        """Return the valid value of a field; an empty text for an invalid one, such as a federation out of sight."""
        self.is_valid()
        return str(self.cleaned_data.get(name, "")).strip()


def tools_page(request: HttpRequest) -> HttpResponseBase:
    """Show the tools of all MCP servers that the user may view."""
    return _answer(request, TOOLS_PAGE)


def skills_page(request: HttpRequest) -> HttpResponseBase:
    """Show the skills of all A2A agents that the user may view."""
    return _answer(request, SKILLS_PAGE)


def _answer(request: HttpRequest, shown: PartsPage) -> HttpResponseBase:
    if not (request.user.has_perm(shown.owner_permission) or sees_any_federation(request)):
        raise PermissionDenied
    form = PartsFilter(request.GET, user=request.user, shown=shown)
    text, page = form.chosen("q"), _page_number(request)
    filters = {name: value for name in ("federation", "tag") if (value := form.chosen(name))}
    found, notice = _found(shown.kind, request, text, filters, page)
    may_export = bool(request.user.has_perm(EXPORT_PERMISSION))
    if "export" in request.GET:
        if not may_export:
            raise PermissionDenied
        refusal = refusal_of_file(found.total, f"{shown.noun}s")
        if not refusal:
            return _file(request, shown, text, filters, total=found.total, by_name=bool(notice))
        messages.error(request, refusal)
    given = {"q": text, **filters} if text else filters
    context = {
        **admin.site.each_context(request),
        "title": shown.title,
        "is_fullwidth": "1",
        "form": form,
        "shown": shown,
        "text": text,
        "is_filtered": bool(given),
        "chips": _chips(form, given),
        "export_url": f"?{urlencode({**given, 'export': 'csv'})}" if may_export and found.parts else "",
        "notice": notice,
        "table": {"headers": shown.headers, "rows": [shown.row(part) for part in found.parts]},
        **_paging(shown, found, page, given),
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, "federations/parts.html", context)


def _chips(form: PartsFilter, given: dict[str, str]) -> list[Chip]:
    values = {name: [value] for name, value in given.items()}
    chips = []
    for name, value in given.items():
        field = form.fields[name]
        words = {str(choice): str(text) for choice, text in getattr(field, "choices", ())}
        chips.append(Chip(str(field.label), words.get(value, value), without(values, name, value)))
    return chips


def _file(
    request: HttpRequest, shown: PartsPage, text: str, filters: dict[str, str], *, total: int, by_name: bool
) -> HttpResponseBase:
    """Return the CSV file of all parts of the list; `by_name` tells that the index could not be read for the list."""
    is_search = bool(text) and not by_name
    size = MAX_LIMIT if is_search else PARTS_AT_ONCE
    where = _where(request, filters, per_page=size)

    def read_page(number: int) -> PartPage:
        if is_search:
            return find_parts(shown.kind, text=text, page=number, **where)
        return list_parts(shown.kind, owner_text=text, page=number, **where)

    return csv_response(shown.title, shown.export_fields, all_parts(read_page, -(-total // size)))


def _where(request: HttpRequest, filters: dict[str, str], *, per_page: int) -> dict[str, Any]:
    chosen = {"federation_id": filters.get("federation", ""), "tag": filters.get("tag", "")}
    return {"user": request.user, "per_page": per_page, **chosen}


def _found(kind: PartKind, request: HttpRequest, text: str, filters: dict[str, str], page: int) -> tuple[PartPage, str]:
    """Return a page of parts, and a notice if the index cannot be read."""
    where = _where(request, filters, per_page=PER_PAGE) | {"page": page}
    if not text:
        return list_parts(kind, **where), ""
    try:
        return find_parts(kind, text=text, **where), ""
    except ExternalServiceError as error:
        return list_parts(kind, owner_text=text, **where), error.message


def _page_number(request: HttpRequest) -> int:
    typed = request.GET.get("p", "")
    return min(max(int(typed), 1), MAX_PAGE) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 1


def _paging(shown: PartsPage, found: PartPage, page: int, filters: dict[str, str]) -> dict[str, Any]:
    first = (page - 1) * PER_PAGE + 1

    def address(number: int) -> str:
        return f"?{urlencode({**filters, 'p': number})}"

    counted = count_text(found.total, shown.noun)
    return {
        "range": f"{first:,} to {first + len(found.parts) - 1:,} of {counted}" if found.parts else counted,
        "previous_url": address(page - 1) if page > 1 else "",
        "next_url": address(page + 1) if page * PER_PAGE < found.total and found.parts else "",
    }


def _tool_row(part: Part) -> list[Any]:
    name, description = _texts(part, "name", "title")
    return [_headed(part, name, description), *_owner_cells(part), _takes(part), _changed(part)]


def _skill_row(part: Part) -> list[Any]:
    entry = skill_entry(part.found)
    labels = (
        (render_to_string("unfold/helpers/label.html", {"text": tag, "class": "fedhub-plain"}),) for tag in entry.labels
    )
    tags = format_html('<span class="fedhub-labels">{}</span>', format_html_join("", "{}", labels))
    return [
        _headed(part, entry.name, entry.description),
        *_owner_cells(part),
        tags if entry.labels else "-",
        _changed(part),
    ]


def _texts(part: Part, *name_keys: str) -> tuple[str, str]:
    values = [part.found.get(key) for key in (*name_keys, "description")]
    *names, description = [value if isinstance(value, str) else "" for value in values]
    return next(filter(None, names), ""), description


def _headed(part: Part, name: str, description: str) -> SafeString:
    owner = part.owner._meta
    url = reverse(f"admin:{owner.app_label}_{owner.model_name}_change", args=[part.owner.pk])
    section = "tools" if isinstance(part.owner, McpServer) else "skills"
    short = description[:MAX_DESCRIPTION_CHARS] + ("…" if len(description) > MAX_DESCRIPTION_CHARS else "")
    return format_html(
        '<div class="fedhub-part"><a class="text-link" href="{}{}">{}</a><p>{}</p></div>',
        url,
        part_address(section, part.place),
        name or "(no name)",
        short,
    )


def _owner_cells(part: Part) -> list[SafeString | str]:
    federation = part.owner.federation
    tags: list[str] = part.owner.tags
    shown = format_html('<p class="text-subtle">{}</p>', ", ".join(tags)) if tags else ""
    return [
        format_html("{}{}", row_link(part.owner, part.owner), shown),
        row_link(federation, federation) if federation else "Without a federation",
    ]


def _takes(part: Part) -> SafeString | str:
    parameters = parameters_of(part.found)
    shown = (
        (each.name, each.type if each.is_required else f"{each.type}, optional") for each in parameters[:MAX_PARAMETERS]
    )
    lines = format_html_join("", "<li><code>{}</code> {}</li>", shown)
    more = len(parameters) - MAX_PARAMETERS
    rest = format_html("<li>and {} more</li>", more) if more > 0 else ""
    return format_html('<ul class="fedhub-takes">{}{}</ul>', lines, rest) if parameters else "nothing"


def _changed(part: Part) -> SafeString:
    return format_html(
        '<span class="whitespace-nowrap"><span class="fedhub-when">changed </span>{}</span>',
        time_since(part.owner.updated_at),
    )


TOOLS_PAGE = PartsPage(
    kind=TOOLS,
    title="Tools",
    noun="tool",
    owners="servers",
    headers=("Name", "Server", "Federation", "Takes", "Server changed"),
    row=_tool_row,
    owner_permission="federations.view_mcpserver",
    placeholder="What it does or takes: e-mail address",
    export_fields=TOOLS_EXPORT,
    empty_hint="A sync of a federation lists here the tools of its MCP servers. Open a federation and press Sync now.",
)
SKILLS_PAGE = PartsPage(
    kind=SKILLS,
    title="Skills",
    noun="skill",
    owners="agents",
    headers=("Name", "Agent", "Federation", "Tags", "Agent changed"),
    row=_skill_row,
    owner_permission="federations.view_a2aagent",
    placeholder="What it can do: detect fraud",
    export_fields=SKILLS_EXPORT,
    empty_hint="A sync of a federation lists here the skills of its A2A agents. Open a federation and press Sync now.",
)
