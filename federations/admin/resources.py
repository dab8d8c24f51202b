"""The common base of the read-only admin pages of MCP servers and of A2A agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR
from django.db.models import F, QuerySet, Value
from django.db.models.functions import StrIndex
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import smart_split, unescape_string_literal
from unfold.decorators import display

from core.admin.labels import count_text, format_age, label
from core.admin.list_page import ListChangeList
from core.admin.read_only import ReadOnlyAdmin
from core.errors import ExternalServiceError
from core.store.substrings import with_candidates
from federations.admin.aws_facts import describe_authorizer, describe_protocol, joined
from federations.admin.catalog_page import Budget, Section, document_fragment, page_of
from federations.admin.catalog_view import as_json
from federations.admin.connect import snippets_of
from federations.admin.facts import facts_of
from federations.admin.filters import AccessFilter, FederationFilter, LastReadFilter, ShownStatusFilter
from federations.admin.labels import ACCESS_COLORS, runtime_color
from federations.admin.permissions import VisibleByFederationMixin
from federations.admin.versions import VersionsMixin, version_rows
from federations.admin.warning_block import warnings_of_runtime
from federations.models import DiscoveredResource, RuntimeObservation
from federations.search.base import DocumentKind
from federations.services.index import IndexState, index_state
from federations.services.inventory import observation_of, observations_of
from federations.services.search import best_resources
from federations.sync.naming import REGISTRY_PREFIX
from federations.sync.resources import Json

RESOURCE_SECTIONS: list[Any] = [
    ("Runtime", {"fields": ["runtime_id", "runtime_version", "region", "account_id"]}),
    ("Access", {"fields": ["runtime_access_json", "protocol_json", "authorizer_json"]}),
]
INDEX_STATES = {
    IndexState.CURRENT: "In step with this version",
    IndexState.STALE: "Behind: it has an older version; the next sync writes it again",
    IndexState.MISSING: "Missing: the next sync writes it",
    IndexState.UNREADABLE: "The search index cannot be read",
}

# The hub calls a server of another registry only where the server asks for no proof.
OF_REGISTRY = {
    "iam": "IAM: callers sign with AWS credentials. The hub does not call the server.",
    "jwt": "JWT: callers send a token of the server's issuer. The hub does not call the server.",
}
FAILED, INCOMPLETE = "not read", "incomplete"
MORE_HITS = (
    "The search index has more hits. This list has the resources of the best 100 hits, and those with the words in "
    "their own columns. Add a word to narrow the search."
)


class ResourceChangeList(ListChangeList):
    """A list of resources, which reads the further facts of a page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.model_admin.read_page(request, list(self.result_list))


class DiscoveredResourceAdmin(VersionsMixin, VisibleByFederationMixin, ReadOnlyAdmin):
    """The base of McpServerAdmin and A2aAgentAdmin: read-only pages with the runtime, the access and the catalog."""

    list_fullwidth = True
    list_per_page = 50
    date_field = "updated_at"
    # A separate query reads the federations of a page: MongoDB would join every row before it sorts and limits.
    list_select_related: list[str] = []
    search_help_text = "What it does, or a name, path or id"
    change_form_outer_before_template = "federations/resource.html"
    document_kinds: tuple[DocumentKind, ...]
    """The kinds of the documents of the resources and of their parts in the search index."""
    fieldsets = RESOURCE_SECTIONS

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows that the search index finds, best first, then those with the words in their own columns."""
        by_name, may_repeat = self.search_by_name(request, queryset, search_term)
        if not search_term.strip():
            return by_name, may_repeat
        try:
            best = best_resources(text=search_term, user=request.user, kinds=self.document_kinds)
        except ExternalServiceError as error:
            messages.warning(request, f"{error.message}. The list has the rows with these words in their own columns.")
            return by_name, may_repeat
        is_question = best.have_every_word or len(search_term.split()) > 1
        if not best.ids or not is_question or (not best.have_every_word and by_name.exists()):
            # A runtime id or an unknown name is in no document. The index then returns resources with a part of it,
            # which are not what staff look for.
            return by_name, may_repeat
        if not best.is_complete:
            messages.info(request, MORE_HITS)
        found = by_name | queryset.filter(pk__in=best.ids)
        return (found if ORDER_VAR in request.GET else _best_first(found, best.ids)), may_repeat

    def search_by_name(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows with all words of the search in their own columns, without the search index."""
        bits = smart_split(search_term)
        words = [unescape_string_literal(bit) if bit[0] in "\"'" and bit[0] == bit[-1] else bit for bit in bits]
        # A word may also be the id of a row.
        rows = with_candidates(queryset, words, also=words)
        return super().get_search_results(request, rows, search_term)  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        name = f"admin:federations_{obj._meta.model_name}"
        texts = reverse(f"{name}_document", args=[obj.pk])
        budget = Budget(urls=lambda slug, place, member: f"{texts}?of={slug}&place={place}&member={member}")
        context.update(resource=obj, status_label=self.status_label_of(obj))
        context["catalog"] = page_of(self.catalog_of(obj), request.GET, budget)
        context["documents"] = [
            budget.fold(title, value, f"{texts}?of={slug}") for slug, (title, value) in self.documents_of(obj).items()
        ]
        context["versions"] = version_rows(obj)
        context["snippets"] = snippets_of(obj)
        context["facts"] = facts_of(obj)
        context["list_url"] = reverse(f"{name}_changelist")
        context["index_url"] = reverse(f"{name}_index_state", args=[obj.pk])
        context["compare_url"] = reverse(f"{name}_compare", args=[obj.pk])
        context.update(access_label=label(obj.access_mode.upper(), ACCESS_COLORS))
        context.update(stored=format_age(obj.updated_at), last_read=format_age(obj.enriched_at))
        if runtime := observation_of(obj):
            context.update(runtime=runtime, **warnings_of_runtime(runtime))
            context["changed_in_cloud"] = format_age(runtime.last_updated_at)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def catalog_of(self, resource: Any) -> list[Section]:
        """Return the sections of the catalog, such as tools."""
        raise NotImplementedError

    def documents_of(self, resource: Any) -> dict[str, tuple[str, Json]]:
        """Return the whole documents that the page shows below the catalog, with their titles, by the word in URLs."""
        return {}

    def get_urls(self) -> list[Any]:
        def page(name: str, view: Any) -> Any:
            url_name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
            return path(f"<str:object_id>/{name}/", self.admin_site.admin_view(view), name=url_name)

        views = (("document", self.document_view), ("index_state", self.index_state_view))
        return [*(page(name, view) for name, view in views), *super().get_urls()]

    def document_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with one text of a resource's page, which the page loads when staff open it."""
        resource = self.row_or_404(request, object_id)
        return document_fragment(request, self.catalog_of(resource), self.documents_of(resource))

    def index_state_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer with the state of a resource's documents in the search index, in words."""
        return HttpResponse(INDEX_STATES[index_state(self.row_or_404(request, object_id))])

    def status_label_of(self, resource: DiscoveredResource) -> SafeString:
        """Return the AgentCore status as a colored label."""
        status = resource.shown_status
        return label(status or "unknown", {status: runtime_color(status)})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListChangeList]:
        return ResourceChangeList

    def read_page(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Read what the rows of one page of the list show beside their own columns."""
        found = observations_of(rows)
        for row in rows:
            row.observation = observation = found.get(row.pk)
            # The relation `newer` of the observation that refers to the row, without a query of its own.
            is_newer = observation and getattr(observation, f"{row.observed_by}_id") == row.pk
            row._prefetched_objects_cache["newer"] = [observation] if is_newer else []

    @display(description="Status", ordering="status")
    def status_label(self, resource: Any) -> SafeString:
        labels = [self.status_label_of(resource), *notices_of(resource.observation)]
        return format_html('<span class="fedhub-labels">{}</span>', format_html_join("", "{}", ((x,) for x in labels)))

    @display(description="Access", ordering="access_mode", label=ACCESS_COLORS)
    def access(self, resource: DiscoveredResource) -> str:
        return resource.access_mode.upper()

    @display(description="Version", ordering="runtime_version")
    def version(self, resource: DiscoveredResource) -> str:
        return resource.runtime_version

    @display(description="Updated", ordering="updated_at")
    def updated(self, resource: DiscoveredResource) -> str:
        return format_age(resource.updated_at)

    @display(description="Runtime access")
    def runtime_access_json(self, resource: DiscoveredResource) -> SafeString:
        lines = describe_access(resource.runtime_access)
        if resource.path.startswith(REGISTRY_PREFIX):
            lines[0] = OF_REGISTRY.get(resource.access_mode, lines[0])
        return _folded(lines, resource.runtime_access)

    @display(description="Protocol configuration")
    def protocol_json(self, resource: DiscoveredResource) -> SafeString:
        return _folded(describe_protocol(resource.protocol_configuration), resource.protocol_configuration)

    @display(description="Authorizer configuration")
    def authorizer_json(self, resource: DiscoveredResource) -> SafeString:
        return _folded(describe_authorizer(resource.authorizer_configuration), resource.authorizer_configuration)


RESOURCE_FILTERS: list[Any] = [
    ("federation", FederationFilter),
    ("access_mode", AccessFilter),
    ("status", ShownStatusFilter),
    LastReadFilter,
]


def notices_of(runtime: RuntimeObservation | None) -> list[SafeString]:
    """Return labels for what the last sync lost of a resource's runtime; none if it read the runtime whole."""
    if runtime is None:
        return []
    texts = [
        (FAILED, bool(runtime.error)),
        (INCOMPLETE, runtime.is_incomplete),
        (count_text(len(runtime.warnings), "warning"), bool(runtime.warnings)),
    ]
    return [label(text, {text: "warning"} | {FAILED: "danger"}) for text, holds in texts if holds]


def _best_first(rows: QuerySet[Any], ids: Sequence[str]) -> QuerySet[Any]:
    # The place of an id in this text is 0 for a row that is not among the best. A CASE of 100 ids took 10 ms to build.
    worst_first = Value(" ".join(reversed(ids)))
    annotated: QuerySet[Any] = rows.annotate(search_place=StrIndex(worst_first, F("pk")))
    return annotated.order_by("-search_place", *rows.model._meta.ordering)


def describe_access(access: Mapping[str, Json]) -> list[str]:
    """Return sentences that explain `config.runtimeAccess`: how a caller authenticates to the runtime."""
    if access.get("mode") == "none":
        return ["The registry does not say how callers prove who they are."]
    jwt = access.get("jwt")
    if not isinstance(jwt, dict):
        return ["IAM: the hub signs each call with the credentials of the federation's role."]
    wordings = (
        ("discoveryUrl", "OIDC discovery URL of the trusted issuer"),
        ("audiences", "Audience"),
        ("allowedClients", "Clients"),
        ("allowedScopes", "Scopes"),
    )
    lines = [f"{wording}: {joined(jwt[key])}" for key, wording in wordings if jwt.get(key)]
    return ["JWT: each call carries a token that the hub signs for this runtime.", *lines]


def _folded(lines: list[str], value: Json) -> SafeString:
    """Return the lines and, below them, `value` as JSON that staff can open."""
    words = format_html_join("", '<p class="break-words">{}</p>', ((line,) for line in lines))
    if not value:
        return words
    return format_html(
        '{}<details class="mt-1"><summary class="cursor-pointer text-link">JSON</summary>'
        '<pre class="fedhub-code mt-2">{}</pre></details>',
        words,
        as_json(value),
    )
