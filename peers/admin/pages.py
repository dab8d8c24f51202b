"""What the pages about peers share: going back, pages of their own, labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timeuntil
from unfold.admin import ModelAdmin

from core.admin.labels import format_age, format_time, label
from peers.models import Dispatch, DispatchState, KeyOrigin, KeyState, Peer, PeerKey, PeerState
from peers.protocol import CallbackEventType

STATE_COLORS = {
    PeerState.PROPOSED.label: "info",
    PeerState.APPROVED.label: "success",
    PeerState.REJECTED.label: "danger",
    PeerState.SUSPENDED.label: "warning",
    PeerState.RETIRED.label: "default",
}
KEY_COLORS = {
    KeyState.PROPOSED.label: "info",
    KeyState.PINNED.label: "success",
    KeyState.PROVISIONAL.label: "warning",
    KeyState.REVOKED.label: "danger",
    "Expired": "default",
}
DISPATCH_COLORS = {
    DispatchState.PENDING.label: "info",
    DispatchState.DELIVERED.label: "info",
    DispatchState.ACCEPTED.label: "primary",
    DispatchState.COMPLETED.label: "success",
    DispatchState.REJECTED.label: "danger",
    DispatchState.FAILED.label: "danger",
    "Given up": "warning",
    "Waiting": "warning",
}
ORIGINS = {
    KeyOrigin.CLAIMED: "claimed by whoever signed a request",
    KeyOrigin.ENTERED: "entered by staff",
    KeyOrigin.PUBLISHED: "published in its DID document",
}
EVENTS: Mapping[str, str] = {
    CallbackEventType.STATE_DELTA: "Progress",
    CallbackEventType.STATUS_CHANGED: "Status changed",
    CallbackEventType.ATTESTATION: "Attestation",
    CallbackEventType.BUDGET_WARNING: "Budget warning",
    CallbackEventType.COMPLETED: "Completed",
    CallbackEventType.FAILED: "Failed",
}
EVENT_COLORS = {"Progress": "info", "Budget warning": "warning", "Completed": "success", "Failed": "danger"}


class PagesMixin(ModelAdmin):
    """Finding a row, going back to its page, and pages beside the form."""

    def heading_of(self, row: Any) -> str:
        """Return what a row's page is called: in people's words, not by an id."""
        return str(row)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj:
            # The title in the header is made of the row itself, the browser's of the subtitle.
            obj.page_heading = context["subtitle"] = self.heading_of(obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)  # type: ignore[no-any-return]

    def found(self, request: HttpRequest, object_id: str) -> Any:
        """Return the row, or raise Http404."""
        row = self.get_queryset(request).filter(pk=object_id).first()
        if row is None:
            raise Http404(f"{self.opts.verbose_name} not found")
        return row

    def back(self, object_id: str) -> str:
        """Return the address of a row's page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])

    def go(self, request: HttpRequest, url: str) -> HttpResponse:
        """Lead the browser there."""
        if "HX-Request" in request.headers:
            # A dialog posts by htmx, which would put the page behind a redirect into the dialog.
            return HttpResponse(headers={"HX-Redirect": url})
        return HttpResponseRedirect(url)

    def page(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> TemplateResponse:
        """Return a page of the admin site beside the form."""
        request.current_app = self.admin_site.name
        own = {"title": title, "model_admin": self}
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), **own, **context})


def link(row: Model, text: object) -> SafeString:
    """Return a link to the row's page; the text is escaped."""
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, text)


def code(text: str) -> SafeString:
    """Return text in a fixed font that can be copied whole."""
    return format_html('<code class="fedhub-copy">{}</code>', text)


def when(moment: datetime | None) -> str:
    """Return how long ago a moment was, or a dash."""
    return format_age(moment) or "-"


def until(moment: datetime | None) -> str:
    """Return in how long a moment comes, with the full time as the tooltip, or a dash."""
    if moment is None:
        return "-"
    left = timeuntil(moment, timezone.now(), depth=1)
    text = "now" if left.startswith("0") else f"in {left}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), format_time(moment), text)


def http_answer(code: int | None) -> str:
    """Return an HTTP status as people know it: `503 Service Unavailable`."""
    if code is None:
        return "none"
    known = {int(status): status.phrase for status in HTTPStatus}
    return f"{code} {known.get(code, '')}".strip()


def event_words(event_type: str) -> str:
    """Return what a callback reports, in words."""
    return EVENTS.get(event_type, event_type)


def peer_link(peer: Peer | None, url: str = "") -> SafeString | str:
    """Return a link to a peer by its name, with its URL as the tooltip; the URL alone where it is no peer."""
    if peer is None:
        return url or "-"
    page = reverse("admin:peers_peer_change", args=[peer.pk])
    return format_html('<a class="text-link" href="{}" title="{}">{}</a>', page, peer.server_url, peer)


def dispatch_status(dispatch: Dispatch) -> str:
    """Return a dispatch's status; a pending one that nobody works on any more says so."""
    if dispatch.status != DispatchState.PENDING:
        return dispatch.get_status_display()
    if dispatch.dead_at:
        return "Given up"
    return "Pending" if dispatch.due_at else "Waiting"


def key_state(key: PeerKey, now: datetime) -> str:
    """Return a key's state as people read it; a pinned one whose time is over is expired."""
    is_over = key.state == KeyState.PINNED and key.valid_until is not None and key.valid_until <= now
    return "Expired" if is_over else key.get_state_display()


def key_table(keys: list[PeerKey], now: datetime, *, is_linked: bool = True) -> dict[str, list[Any]]:
    """Return keys as unfold's table component takes them."""
    rows = [
        [
            link(key, short(key.fingerprint)) if is_linked else short(key.fingerprint),
            label(key_state(key, now), KEY_COLORS),
            ORIGINS[KeyOrigin(key.origin)] + ("; signed by the key before it" if key.is_continuous else ""),
            when(key.created_at),
            format_time(key.valid_until) if key.valid_until else "no end set",
        ]
        for key in keys
    ]
    return {"headers": ["Key", "State", "Where it was seen", "First seen", "Counts until"], "rows": rows}


def short(fingerprint: str) -> str:
    """Return the beginning of a fingerprint, to recognize it by; never to compare by."""
    return f"{fingerprint[:19]} …"
