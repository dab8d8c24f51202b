"""Actions on a peer: each action needs a permission, calls one service and shows its result as a message."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from core.actors import Actor, actor_of
from core.admin.refusals import show_refusals
from core.admin.shown_once import answer_once, is_to_show, show_once
from core.errors import ExternalServiceError
from peers.admin.composer.links import composer_url, may_compose
from peers.admin.dialogs import ConfirmForm, OutboundKeyForm, ReasonForm, RequiredReasonForm, dialog
from peers.admin.effects import (
    STAYS_STOPPED,
    RejectForm,
    ResumeForm,
    RetireForm,
    RevokeTokensForm,
    SuspendForm,
    joined,
    released_parts,
    stopped_parts,
)
from peers.admin.fingerprints import shown_fingerprint
from peers.admin.labels import key_origin, plural, short_fingerprint
from peers.admin.peer_forms import ApprovalForm, TokenForm
from peers.admin.peer_sending import SendingActionsMixin, sending_actions
from peers.models import Peer, PeerState
from peers.services.answer_words import in_words
from peers.services.catalog.agents import count_only_for_peers
from peers.services.trust import peers
from peers.services.trust.log_checkpoints import acknowledge_log, warnings_about
from peers.services.trust.peer_documents import FetchedKeys, refresh_documents
from peers.services.trust.peer_tokens import issue_peer_token, revoke_all
from peers.services.trust.restore_boundary import allow_older, is_held_back

ACTIONS_BY_STATE: dict[str, set[str]] = {
    PeerState.PROPOSED: {"approve", "fetch", "reject"},
    PeerState.APPROVED: {"fetch", "suspend", "retire", "issue_token", "revoke_all_tokens", "outbound_key"},
    PeerState.SUSPENDED: {"fetch", "resume", "retire", "outbound_key"},
    PeerState.REJECTED: {"repropose"},
    PeerState.RETIRED: {"repropose"},
}
"""The method names of the actions that each state allows."""

NEXT_STEP: dict[str, str] = {
    PeerState.PROPOSED: "The hub trusts no key of it yet. Compare its key, then approve it.",
    PeerState.APPROVED: "Choose under Agents' visibility which agents it sees, or dispatch an intent to it.",
    PeerState.REJECTED: "The hub refuses its requests. Press Propose again to undo this.",
    PeerState.SUSPENDED: "The hub refuses its requests, and holds queued work until you press Resume.",
    PeerState.RETIRED: "The hub sends it nothing and refuses its requests. Its history stays. To trust it again, press "
    "Propose again.",
}
"""What each state means, and what staff can do next."""
STEP_WITHOUT_KEY = "It has no key: press Issue a token under More, so that it can prove itself."


class PeerActionsMixin(SendingActionsMixin):
    """Adds to PeerAdmin the buttons of a peer's page; the state of the peer decides which buttons the page shows."""

    actions_detail = [
        "send_work",
        "approve",
        "fetch",
        "reject",
        "suspend",
        "resume",
        "repropose",
        "resume_messages",
        "clear_failures",
        "acknowledge_log",
        "allow_older",
        {
            "title": "More",
            "items": ["fetch_agents", "pause_messages", "issue_token", "revoke_all_tokens", "outbound_key", "retire"],
        },
    ]

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        peer = Peer.objects.filter(pk=object_id).first()
        if peer is None:
            return set()
        further = {"acknowledge_log"} if self.log_warnings(request, peer) else set()
        now = timezone.now()
        further |= {"send_work"} if peer.state == PeerState.APPROVED and peer.may_get_work else set()
        further |= sending_actions(peer, now) | ({"allow_older"} if is_held_back(peer, now) else set())
        return ACTIONS_BY_STATE[peer.state] | further

    def log_warnings(self, request: HttpRequest, peer: Peer) -> list[str]:
        """Return what is wrong with the peer's federation log; a request asks once, for the page and for the button."""
        known: dict[str, list[str]] = request.__dict__.setdefault("log_warnings", {})
        if peer.pk not in known:
            known[peer.pk] = warnings_about(peer)
        return known[peer.pk]

    def has_compose_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may describe new work and dispatch it."""
        return may_compose(request)

    @action(description="Send work", icon="send", permissions=["compose"], url_path="send-work")
    def send_work(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(composer_url(peer=self.row_or_404(request, object_id).pk))

    @action(
        description="Fetch documents",
        icon="download",
        permissions=["change"],
        url_path="fetch",
        dialog=dialog(
            "Fetch documents",
            "The hub asks the peer for its manifest and its DID document, and shows the keys in them. "
            "It does not trust these keys until you approve one.",
            ConfirmForm,
        ),
    )
    def fetch(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            findings = _fetched(peer, actor_of(request.user))
            new = len(findings.new_keys)
            text = f"{plural(len(findings.keys), 'key')} found, {new} of them new."
            messages.success(request, f"{text} The hub does not trust a new key until you approve it." if new else text)
            for key in findings.withdrawn:
                way = key.get_withdrawal_display()
                messages.warning(request, f"The key {short_fingerprint(key.fingerprint)} is {way} by the peer.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Approve…",
        icon="verified_user",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="approve",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        keys = list(peer.keys.all())
        form = ApprovalForm(request.POST or None, keys=keys)
        if request.method == "POST" and form.is_valid():
            typed = form.cleaned_data
            with show_refusals(request):
                peers.approve_peer(
                    peer,
                    key_fingerprint=typed.get("fingerprint", ""),
                    by=actor_of(request.user),
                    reason=typed["reason"],
                    review_by=typed["review_by"],
                )
                step = NEXT_STEP[PeerState.APPROVED] if keys else STEP_WITHOUT_KEY
                messages.success(request, f"{peer} is approved. {step}")
            return self.redirect_to(request, self.row_url(object_id))
        shown = [
            {"key": key, "origin": key_origin(key), "forms": shown_fingerprint(key.fingerprint)}
            for key in keys
            if key.is_offered
        ]
        context = {"peer": peer, "form": form, "keys": shown, "back_url": self.row_url(object_id)}
        return self.extra_page(request, "peers/approve_peer.html", f"Approve {peer}", context)

    @action(
        description="Reject",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["change"],
        url_path="reject",
        dialog=dialog(
            "Reject",
            "The hub refuses the peer's requests and does not propose it again by itself. "
            "Press Propose again to undo this.",
            RejectForm,
            ask="Reject this peer?",
        ),
    )
    def reject(self, request: HttpRequest, form: RejectForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.reject_peer, form)

    @action(
        description="Suspend",
        icon="pause_circle",
        variant=ActionVariant.DANGER,
        permissions=["change"],
        url_path="suspend",
        dialog=dialog(
            "Suspend",
            "At once the hub refuses the peer's requests, cancels the work of its agents for the peer, and holds "
            "queued dispatches and callbacks. It revokes the peer's tokens, and the delegations of sent work, with "
            "which that work can be passed back to this hub; they stay revoked when you resume the peer.",
            SuspendForm,
            ask="Suspend this peer?",
        ),
    )
    def suspend(self, request: HttpRequest, form: SuspendForm, object_id: str) -> HttpResponse:
        return self._stop(request, object_id, peers.suspend_peer, form)

    @action(
        description="Resume",
        icon="play_circle",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="resume",
        dialog=dialog(
            "Resume",
            "The hub trusts the peer's pinned keys again, takes its messages and sends what it held.",
            ResumeForm,
            ask="Resume this peer?",
        ),
    )
    def resume(self, request: HttpRequest, form: ResumeForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            released = peers.resume_peer(peer, reason=form.cleaned_data["reason"], by=actor_of(request.user))
            parts = " ".join(released_parts(*released))
            messages.success(request, f"{peer} is approved again. {parts} {STAYS_STOPPED}")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Retire",
        icon="archive",
        permissions=["change"],
        url_path="retire",
        dialog=dialog(
            "Retire",
            "The hub sends the peer nothing more, refuses its requests and cancels the work of its agents for it. "
            "It revokes the peer's tokens and the delegations of sent work for good. Its history stays. To trust it "
            "again, propose it again.",
            RetireForm,
            ask="Retire this peer?",
        ),
    )
    def retire(self, request: HttpRequest, form: RetireForm, object_id: str) -> HttpResponse:
        return self._stop(request, object_id, peers.retire_peer, form)

    @action(
        description="Propose again",
        icon="undo",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="repropose",
        dialog=dialog(
            "Propose again",
            "The peer becomes a proposed peer again and keeps its history. "
            "The hub trusts no key of it until you approve it.",
            ReasonForm,
            ask="Propose this peer again?",
        ),
    )
    def repropose(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.repropose_peer, form)

    @action(
        description="Acknowledge the log",
        icon="history",
        permissions=["change"],
        url_path="acknowledge-log",
        dialog=dialog(
            "Acknowledge the log",
            "Ask the peer's staff first: a restore from a backup is harmless, a changed past is not. The hub keeps "
            "what it holds as proof, and compares the peer's further checkpoints with the latest one only.",
            RequiredReasonForm,
        ),
    )
    def acknowledge_log(self, request: HttpRequest, form: RequiredReasonForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            acknowledge_log(peer, reason=form.cleaned_data["reason"], by=actor_of(request.user))
            messages.success(request, f"The log of {peer} goes on. The journal has your reason.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(description="Issue a token…", icon="key", permissions=["change"], url_path="issue-token")
    def issue_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        form = TokenForm(request.POST or None)
        context: dict[str, Any] = {"peer": peer, "form": form, "back_url": self.row_url(object_id)}

        def page(values: dict[str, str]) -> HttpResponse:
            return self.extra_page(
                request, "peers/issue_token.html", f"Issue a token for {peer}", {**context, **values}
            )

        if is_to_show(request):
            return answer_once(request, self.row_url(object_id), page)
        if request.method == "POST" and form.is_valid():
            with show_refusals(request):
                raw = issue_peer_token(peer, days=form.cleaned_data["days"], by=actor_of(request.user))
                return show_once(request, {"token": raw})
        return page({})

    @action(
        description="Revoke all tokens",
        icon="key_off",
        permissions=["change"],
        url_path="revoke-tokens",
        dialog=dialog(
            "Revoke all tokens",
            "The hub refuses requests with these tokens at once. It still accepts messages that the peer signs. "
            "You can issue new tokens.",
            RevokeTokensForm,
        ),
    )
    def revoke_all_tokens(self, request: HttpRequest, form: RevokeTokensForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        count = revoke_all(peer, by=actor_of(request.user))
        messages.success(request, f"{plural(count, 'token')} revoked.")
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Outbound key",
        icon="vpn_key",
        permissions=["change"],
        url_path="outbound-key",
        dialog=dialog("Save the key", "The API key that this peer gave us. Some hubs need one.", OutboundKeyForm),
    )
    def outbound_key(self, request: HttpRequest, form: OutboundKeyForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            peers.set_outbound_key(peer, form.cleaned_data["key"], by=actor_of(request.user))
            messages.success(
                request, "The outbound key is saved." if peer.outbound_key else "The outbound key is removed."
            )
        return self.redirect_to(request, self.row_url(object_id))

    @action(
        description="Allow older envelopes",
        icon="history",
        permissions=["change"],
        url_path="allow-older",
        dialog=dialog(
            "Allow older envelopes",
            "The hub takes in envelopes of this peer from before the restore that it does not know. If the hub had "
            "taken one in after the backup, its work is done a second time. Compare with the peer's staff first.",
            RequiredReasonForm,
        ),
    )
    def allow_older(self, request: HttpRequest, form: RequiredReasonForm, object_id: str) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            allow_older(peer, reason=form.cleaned_data["reason"], by=actor_of(request.user))
            messages.success(request, f"{peer} may send envelopes from before the restore.")
        return self.redirect_to(request, self.row_url(object_id))

    def _stop(self, request: HttpRequest, object_id: str, service: Any, form: Any) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        unseen = count_only_for_peers() if peer.state == PeerState.APPROVED else 0
        with show_refusals(request):
            stopped = service(peer, reason=form.cleaned_data["reason"], by=actor_of(request.user))
            done = joined(stopped_parts(stopped, unseen))
            messages.success(request, f"{peer} is {peer.get_state_display().lower()}. {done}{NEXT_STEP[peer.state]}")
        return self.redirect_to(request, self.row_url(object_id))

    def _decide(self, request: HttpRequest, object_id: str, service: Any, form: Any) -> HttpResponse:
        peer = self.row_or_404(request, object_id)
        with show_refusals(request):
            service(peer, reason=form.cleaned_data["reason"], by=actor_of(request.user))
            messages.success(request, f"{peer} is {peer.get_state_display().lower()}. {NEXT_STEP[peer.state]}")
        return self.redirect_to(request, self.row_url(object_id))


def _fetched(peer: Peer, by: Actor) -> FetchedKeys:
    """Return what a fetch of the peer's documents found; raises ExternalServiceError with a text for people."""
    try:
        return refresh_documents(peer, by=by, now=timezone.now())
    except ExternalServiceError as exc:
        raise ExternalServiceError(in_words(exc.message)) from exc
