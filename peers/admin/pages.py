"""What the pages about peers share: going back, pages of their own, labels."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from federations.admin.labels import ago, label
from peers.models import Dispatch, DispatchState, KeyOrigin, KeyState, PeerKey, PeerState

STATE_COLOURS = {
    PeerState.PROPOSED.label: "info",
    PeerState.APPROVED.label: "success",
    PeerState.REJECTED.label: "danger",
    PeerState.SUSPENDED.label: "warning",
    PeerState.RETIRED.label: "default",
}
KEY_COLOURS = {
    KeyState.PROPOSED.label: "info",
    KeyState.PINNED.label: "success",
    KeyState.PROVISIONAL.label: "warning",
    KeyState.REVOKED.label: "danger",
    "Expired": "default",
}
DISPATCH_COLOURS = {
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


class PagesMixin(ModelAdmin):
    """Finding a row, going back to its page, and pages beside the form."""

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


def pretty(value: object) -> SafeString:
    """Return JSON as people read it; a text that is none stays as it is."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return format_html('<pre class="fedhub-code">{}</pre>', value)
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="fedhub-code">{}</pre>', text)


def when(moment: datetime | None) -> str:
    """Return how long ago a moment was, or a dash."""
    return ago(moment) or "-"


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
            label(key_state(key, now), KEY_COLOURS),
            ORIGINS[KeyOrigin(key.origin)] + ("; signed by the key before it" if key.is_continuous else ""),
            when(key.created_at),
            key.valid_until.strftime("%Y-%m-%d %H:%M UTC") if key.valid_until else "-",
        ]
        for key in keys
    ]
    return {"headers": ["Key", "State", "Where it was seen", "First seen", "Counts until"], "rows": rows}


def short(fingerprint: str) -> str:
    """Return the beginning of a fingerprint, to recognise it by; never to compare by."""
    return f"{fingerprint[:19]} …"
