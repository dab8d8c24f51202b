"""Actions on the ticked peers: suspend them, or set the day of their review. There is none that approves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.actors import actor_of
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import reason_field
from peers.admin.effects import joined, stopped_parts
from peers.admin.labels import plural
from peers.admin.peer_forms import DateInput
from peers.models import Peer, PeerState
from peers.services.trust.effects import count_stopped
from peers.services.trust.many_peers import set_review_day, suspend_each

MAX_PEERS = 500
MAX_NAMES_SHOWN = 20
MAX_REFUSALS_SHOWN = 20


class SuspendManyForm(forms.Form):
    """Asks why the peers are suspended."""

    reason = reason_field(required=True, help_text="Explain your decision. The hub keeps the reason with each peer.")


class ReviewDayForm(forms.Form):
    """Asks for the day of the review. The button is sent too, so that an empty day is told from a first visit."""

    review_by = forms.DateField(
        required=False, widget=DateInput(), help_text="When to review these peers. An empty field removes the day."
    )


class ManyPeersMixin(RowPagesMixin):
    """Adds to PeerAdmin the actions on the ticked peers."""

    actions = ["suspend_selected", "review_selected"]

    @admin.action(description="Suspend selected peers", permissions=["change"])
    def suspend_selected(self, request: HttpRequest, queryset: QuerySet[Peer]) -> HttpResponse | None:
        """Ask for the reason on a page of its own, then suspend the approved ones."""
        peers = list(queryset.filter(state=PeerState.APPROVED)[:MAX_PEERS])
        form = SuspendManyForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            effects = stopped_parts(count_stopped(*peers, now=timezone.now()), 0)
            return self._ask(request, queryset, peers, form, "suspend_selected", effects)
        done = suspend_each(peers, reason=form.cleaned_data["reason"], by=actor_of(request.user))
        for refusal in done.refusals[:MAX_REFUSALS_SHOWN]:
            messages.error(request, refusal)
        if done.number:
            parts = joined(stopped_parts(done.stopped, 0))
            messages.success(request, f"{plural(done.number, 'peer')} suspended. {parts}".strip())
        return None

    @admin.action(description="Set the review date of selected peers", permissions=["change"])
    def review_selected(self, request: HttpRequest, queryset: QuerySet[Peer]) -> HttpResponse | None:
        """Ask for the day on a page of its own, then set it for the approved ones."""
        peers = list(queryset.filter(state=PeerState.APPROVED)[:MAX_PEERS])
        form = ReviewDayForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, queryset, peers, form, "review_selected", [])
        day = form.cleaned_data["review_by"]
        number = set_review_day(peers, day, by=actor_of(request.user))
        messages.success(request, f"{plural(number, 'peer')}: {f'review by {day}' if day else 'no day of review'}.")
        return None

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[Peer],
        peers: list[Peer],
        form: forms.Form,
        action: str,
        effects: list[str],
    ) -> HttpResponse:
        is_all = request.POST.get("select_across") == "1"
        picked = request.POST.getlist(ACTION_CHECKBOX_NAME)
        title = "Suspend peers" if action == "suspend_selected" else "Set the review date"
        context: dict[str, Any] = {
            "form": form,
            "action_name": action,
            "peers": peers[:MAX_NAMES_SHOWN],
            "number": len(peers),
            "further": max(0, len(peers) - MAX_NAMES_SHOWN),
            "left_out": queryset.count() - len(peers),
            "effects": effects,
            # With "select all" the filters of the address select the rows, and Django asks for one ticked row.
            "picked": picked[:1] if is_all else picked,
            "select_across": int(is_all),
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "back_url": request.get_full_path(),
        }
        return self.extra_page(request, "peers/many_peers.html", title, context)
