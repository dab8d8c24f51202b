"""The page of an answer: joins what the description, the view and the caller's rights say into one template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.browsable.advice import advice
from core.api.browsable.answer_html import show_answer
from core.api.browsable.controls import controls, paging
from core.api.browsable.curl import curl_command
from core.api.browsable.described import ROOT, Description, Operation, hub_description
from core.api.browsable.endpoints import endpoint_groups
from core.api.browsable.facts import PageFacts
from core.api.browsable.forms import ActionForm, action_form
from core.api.browsable.links import Rules, registered_links
from core.api.scopes import Credential

SHOWN_HEADERS = ("Location", "Preference-Applied", "Retry-After", "WWW-Authenticate")
SCOPES = cast(dict[str, str], settings.OAUTH2_PROVIDER["SCOPES"])
FIRST_TITLE = "The API of fedhub"


@dataclass(frozen=True, slots=True)
class Refused:
    """An action that the hub would refuse to this caller now, with the reason: the page has no form for it."""

    operation: Operation
    reason: str


class HubPageRenderer(BrowsableAPIRenderer):
    """Renders an answer as a page. The class is the framework's, so that schemas and negotiation know its kind."""

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the context of the template."""
        page = _Page(data, renderer_context["view"], renderer_context["request"], renderer_context["response"])
        return page.context()


class _Page:
    """One page, while it is made."""

    def __init__(self, data: Any, view: Any, request: Request, response: Response) -> None:
        self.data, self.view, self.request, self.response = data, view, request, response
        self.description: Description = hub_description()
        self.path = request.path
        self.template, self.values = self.description.find(self.path) or ("", {})
        self.here = self.description.at(self.template)
        found = [each for each in self.here if each.method == self.method]
        self.operation: Operation | None = found[0] if found else None
        credential = request.auth
        self.scopes = credential.scopes if isinstance(credential, Credential) else frozenset()
        self.facts = self._facts()

    @property
    def method(self) -> str:
        return "GET" if self.request.method == "HEAD" else str(self.request.method)

    def _facts(self) -> PageFacts:
        tell = getattr(self.view, "page_facts", None)
        about = self.operation or next(iter(self.here), None)
        if tell is None or about is None or not self.scopes or self.response.status_code >= 500:
            return PageFacts()
        found: PageFacts = tell(about.id, self.data if self.response.status_code < 300 else None)
        return found

    def context(self) -> dict[str, Any]:
        """Return the context of the template."""
        text = JSONRenderer().render(self.data).decode() if self.data is not None else ""
        schema = self.operation.answers.get(str(self.response.status_code)) if self.operation else None
        query = dict(self.request.query_params.lists())
        is_list = self.method == "GET" and self.operation is not None
        return {
            "is_root": self.template == ROOT,
            "title": self._title(),
            "text": self.operation.text_html if self.operation else "",
            "operation": self.operation,
            "docs": [each for each in self.here if not each.is_signed],
            "crumbs": list(self._crumbs()),
            "pages": list(self._pages_below()),
            "groups": endpoint_groups(self.description, self.scopes) if self.template == ROOT else [],
            "status": self.response.status_code,
            "phrase": _phrase(self.response.status_code),
            "headers": dict(self._headers()),
            "answer": show_answer(text, schema, self.description, self._rules()),
            "answer_bytes": len(text.encode()),
            "advice": self._advice(),
            "controls": controls(self.operation.query, query) if is_list and self.operation else [],
            "paging": paging(self.data, self.path, query) if is_list else None,
            "curl": curl_command(self.method, self.request.build_absolute_uri())
            if self.operation and self.method == "GET"
            else "",
            "actions": self._actions(),
            "user": self.request.user if self.request.user else AnonymousUser(),
            "by_token": any(name in self.request.META for name in ("HTTP_AUTHORIZATION", "HTTP_X_API_KEY")),
            "rights": [(name, text, name in self.scopes) for name, text in SCOPES.items()],
            "has_rights": bool(self.scopes),
            "request": self.request,
        }

    def _headers(self) -> Iterator[tuple[str, str]]:
        for name in ("Allow", *SHOWN_HEADERS) if self.method == "OPTIONS" else SHOWN_HEADERS:
            if name in self.response:
                yield name, str(self.response[name])

    def _title(self) -> str:
        if self.template == ROOT:
            return FIRST_TITLE
        if self.method == "OPTIONS":
            return f"Options of {self.path}"
        about = self.operation or next(iter(self.here), None)
        return self.facts.title or (about.title if about else self.path)

    def _rules(self) -> Rules:
        user = self.request.user

        def may_open(permission: str) -> bool:
            return not permission or (getattr(user, "is_staff", False) and user.has_perm(permission))

        return {key: [each for each in links if may_open(each.permission)] for key, links in registered_links().items()}

    def _crumbs(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the address of each page above, from the first address on."""
        if self.template == ROOT:
            return
        yield "API", f"{ROOT}/"
        parts = self.template.split("/")
        readable = {each.path for each in self.description.operations if each.method == "GET"}
        for end in range(len(ROOT.split("/")) + 1, len(parts)):
            above = "/".join(parts[:end])
            if above in readable:
                (operation, *_) = self.description.at(above)
                yield self._part(parts[end - 1]), operation.address(self.values)
        if self.template:
            yield self._part(parts[-1]), ""

    def _part(self, part: str) -> str:
        name = part.strip("{}")
        return self.facts.names.get(name) or self.values.get(name, name.replace("_", " "))

    def _pages_below(self) -> Iterator[tuple[str, str]]:
        if self.response.status_code in (401, 403, 404):
            return
        for operation in self.description.below(self.template) if self.template != ROOT else ():
            if operation.method == "GET" and not operation.is_signed:
                yield operation.title, operation.address(self.values)

    def _advice(self) -> Any:
        methods = " and ".join(each.method for each in self.here)
        scope = self.operation.scope if self.operation else None
        wait = self.response.get("Retry-After", "")
        return advice(self.response.status_code, scope=scope, scopes=self.scopes, methods=methods, wait=wait)

    def _actions(self) -> list[ActionForm | Refused]:
        """Return the forms of this page's actions, and the reason for each action that would be refused."""
        status = self.response.status_code
        if not self.scopes or status in (401, 404) or (status == 403 and self.values) or self.template == ROOT:
            return []
        return [self._action(each) for each in self._operations() if each.method != "GET" and not each.is_signed]

    def _operations(self) -> list[Operation]:
        """Return the operations of the address, of those below it, and those that take its object's id in the body."""
        takers = [
            each
            for each in self.description.operations
            if not each.names and self.values.keys() & self.description.resolve(each.body)[1].get("properties", {})
        ]
        below = self.description.below(self.template) if self.values and self.operation else []
        unique = {each.id: each for each in [*below, *takers, *self.here]}
        return sorted(unique.values(), key=lambda each: ("POST", "PUT", "PATCH", "DELETE", "GET").index(each.method))

    def _present(self) -> dict[str, Any]:
        """Return the values of the page's object and of its address, by the names that bodies have for them.

        A body that takes the id of an object may have members for the object's own, as `intent_title` for the title of
        the intent `intent_id`.
        """
        if self.method != "GET" or self.response.status_code != 200 or not isinstance(self.data, dict):
            return dict(self.values)
        prefixes = [name.removesuffix("id") for name in self.values]
        inner = {f"{prefix}{name}": value for prefix in prefixes for name, value in self.data.items() if value}
        return {**inner, **self.data, **self.values}

    def _action(self, operation: Operation) -> ActionForm | Refused:
        if operation.scope is not None and operation.scope not in self.scopes:
            return Refused(operation, f"It needs the scope {operation.scope}.")
        if operation.id in self.facts.refused:
            return Refused(operation, self.facts.refused[operation.id])
        url = self.request.build_absolute_uri(quote(operation.address(self.values), safe="/%"))
        hidden = self.facts.hidden.get(operation.id, frozenset())
        note = self.facts.notes.get(operation.id, "")
        return action_form(operation, self.description, url, present=self._present(), hidden=hidden, note=note)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
