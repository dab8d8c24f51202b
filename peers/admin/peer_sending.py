"""What staff do about the messages to a peer and its agents: pause, end a pause, clear failures, fetch the agents."""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from core.actors import actor_of
from core.admin.labels import format_time
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import ConfirmForm, RequiredReasonForm, dialog
from peers.admin.labels import plural
from peers.models import Peer, PeerState
from peers.services.catalog.peer_agents import ask_for_agents
from peers.services.outbox.pauses import MAX_HOURS, clear_failures, pause_end, pause_sending, resume_sending


class PauseForm(RequiredReasonForm):
    """Asks how long the messages to a peer wait, and why."""

    hours = forms.IntegerField(
        min_value=1,
        max_value=MAX_HOURS,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=f"At most {MAX_HOURS}. You can end the pause before.",
    )
    field_order = ["hours", "reason"]


def sending_actions(peer: Peer, now: datetime) -> set[str]:
    """Return the names of the actions of this module that the state of the peer allows."""
    if peer.state != PeerState.APPROVED:
        return set()
    is_paused = pause_end(peer, now=now) is not None
    cleared = {"clear_failures"} if peer.circuit_failures else set()
    return {"fetch_agents", "resume_messages" if is_paused else "pause_messages"} | cleared


class SendingActionsMixin(RowPagesMixin):
    """Adds to PeerAdmin the buttons about the messages to a peer, and about the list of its agents."""

    @action(
        description="Pause messages",
        icon="pause",
        permissions=["change"],
        url_path="pause-messages",
        dialog=dialog(
            "Pause messages",
            "Dispatches and callbacks to the peer wait until the pause ends. The hub still takes what the peer sends, "
            "and its tokens and the delegations of sent work stay valid.",
            PauseForm,
        ),
    )
    def pause_messages(self, request: HttpRequest, form: PauseForm, object_id: str) -> HttpResponse:
        peer, typed = self.row_or_404(request, object_id), form.cleaned_data
        with show_refusals(request):
            until = pause_sending(peer, hours=typed["hours"], by=actor_of(request.user), reason=typed["reason"])
            messages.success(request, f"The messages to {peer} wait until {format_time(until)}.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Resume messages",
        icon="play_arrow",
        permissions=["change"],
        url_path="resume-messages",
        dialog=dialog("Resume messages", "The pause ends now, and workers send what waits.", ConfirmForm),
    )
    def resume_messages(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            number = resume_sending(peer, by=actor_of(request.user))
            messages.success(request, f"The pause has ended, and {plural(number, 'message')} to {peer} can be sent.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Clear failures",
        icon="restart_alt",
        permissions=["change"],
        url_path="clear-failures",
        dialog=dialog(
            "Clear failures",
            "The hub forgets that the peer did not answer, and tries the waiting messages at once. Do this when the "
            "peer's people say that it works again.",
            ConfirmForm,
        ),
    )
    def clear_failures(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            number = clear_failures(peer, by=actor_of(request.user))
            messages.success(request, f"The failures are cleared, and {plural(number, 'message')} can be sent.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Fetch agents",
        icon="smart_toy",
        permissions=["change"],
        url_path="fetch-agents",
        dialog=dialog(
            "Fetch agents",
            "A worker asks the peer for the agents that it shows to this hub. The new list replaces the one below.",
            ConfirmForm,
        ),
    )
    def fetch_agents(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            ask_for_agents(peer)
            messages.success(request, "A worker asks the peer for its agents. Reload this page to see them.")
        return self.redirect_to(request, self.row_url(object_id))
