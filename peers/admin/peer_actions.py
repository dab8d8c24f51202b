"""What staff can do to a peer: each action asks a permission, calls one service and says what happened."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from core.actors import actor_of
from core.admin.refusals import show_refusals
from core.errors import HubError
from peers.admin.forms import ApprovalForm, FetchForm, OutboundKeyForm, ReasonForm, RequiredReasonForm, TokenForm
from peers.admin.pages import PagesMixin
from peers.models import Peer, PeerState
from peers.services.trust import peers
from peers.services.trust.documents import refresh_documents
from peers.services.trust.tokens import issue_peer_token, revoke_all

FITTING: dict[str, set[str]] = {
    PeerState.PROPOSED: {"approve", "fetch", "reject"},
    PeerState.APPROVED: {"fetch", "suspend", "retire", "issue_token", "revoke_all_tokens", "outbound_key"},
    PeerState.SUSPENDED: {"fetch", "resume", "retire", "outbound_key"},
    PeerState.REJECTED: {"repropose"},
    PeerState.RETIRED: {"repropose"},
}
"""Which actions each state allows."""

AFTER: dict[str, str] = {
    PeerState.PROPOSED: "No key of it is trusted. Compare its key, then approve it.",
    PeerState.APPROVED: "Choose under Agents' visibility which agents it sees, or dispatch an intent to it.",
    PeerState.REJECTED: "Its requests are refused. Propose again undoes this.",
    PeerState.SUSPENDED: "Nothing goes to it or comes from it. What was queued is kept until it is resumed.",
    PeerState.RETIRED: "Nothing goes to it or comes from it. Its history stays.",
}
"""What a decision means from now on."""


def dialog(title: str, description: str, form: type[BaseDialogForm]) -> dict[str, Any]:
    """Return what unfold's dialog shows before an action."""
    return {"title": title, "description": description, "form_class": form, "form_submit_text": title}


class PeerActionsMixin(PagesMixin):
    """The buttons of a peer's page."""

    actions_detail = [
        "approve",
        "fetch",
        "reject",
        "suspend",
        "resume",
        "repropose",
        {"title": "More", "items": ["issue_token", "revoke_all_tokens", "outbound_key", "retire"]},
    ]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        peer = Peer.objects.filter(pk=object_id).first()
        fitting = FITTING[peer.state] if peer else set()
        allowed = super().get_actions_detail(request, object_id)
        return [found for found in allowed if found.method.original_function_name in fitting]

    @action(
        description="Fetch documents",
        icon="download",
        permissions=["change"],
        url_path="fetch",
        dialog=dialog(
            "Fetch documents",
            "The hub asks the peer for its manifest and its DID document, and shows the keys that it finds there. "
            "None of them is trusted by this.",
            FetchForm,
        ),
    )
    def fetch(self, request: HttpRequest, form: FetchForm, object_id: str) -> HttpResponse:
        peer = self.found(request, object_id)
        with show_refusals(request):
            findings = refresh_documents(peer, by=actor_of(request.user), now=timezone.now())
            count, new = len(findings.keys), len(findings.new_keys)
            text = f"{count} key{'' if count == 1 else 's'} found, {new} of them not seen before."
            messages.success(request, f"{text} Compare before you trust: fetching trusts nothing." if new else text)
        return self.go(request, self.back(object_id))

    @action(
        description="Approve…",
        icon="verified_user",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="approve",
    )
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        peer = self.found(request, object_id)
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
                messages.success(request, f"{peer} is approved. {AFTER[PeerState.APPROVED]}")
            return self.go(request, self.back(object_id))
        context = {"peer": peer, "form": form, "keys": keys, "back_url": self.back(object_id)}
        return self.page(request, "peers/approve.html", f"Approve {peer}", context)

    @action(
        description="Reject",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["change"],
        url_path="reject",
        dialog=dialog(
            "Reject",
            "Its requests are refused, and it is not proposed again by itself. Propose again undoes this.",
            RequiredReasonForm,
        ),
    )
    def reject(self, request: HttpRequest, form: RequiredReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.reject_peer, form)

    @action(
        description="Suspend",
        icon="pause_circle",
        variant=ActionVariant.DANGER,
        permissions=["change"],
        url_path="suspend",
        dialog=dialog(
            "Suspend",
            "At once it can send and see nothing more, queued work and callbacks stay here, and the tokens and "
            "delegations that it was given are revoked for good. It can be resumed.",
            RequiredReasonForm,
        ),
    )
    def suspend(self, request: HttpRequest, form: RequiredReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.suspend_peer, form)

    @action(
        description="Resume",
        icon="play_circle",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="resume",
        dialog=dialog(
            "Resume", "It is trusted again with the keys it has, and what was kept here is sent.", ReasonForm
        ),
    )
    def resume(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.resume_peer, form)

    @action(
        description="Retire",
        icon="archive",
        permissions=["change"],
        url_path="retire",
        dialog=dialog(
            "Retire",
            "For a peer that is done with. Nothing goes to it or comes from it any more, and its tokens and "
            "delegations are revoked for good. Its history stays; trusting it again begins with a new proposal.",
            ReasonForm,
        ),
    )
    def retire(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.retire_peer, form)

    @action(
        description="Propose again",
        icon="undo",
        variant=ActionVariant.PRIMARY,
        permissions=["change"],
        url_path="repropose",
        dialog=dialog(
            "Propose again",
            "It is proposed as if new, with its history. No key of it is trusted before you approve it again.",
            ReasonForm,
        ),
    )
    def repropose(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, peers.repropose_peer, form)

    @action(description="Issue a token…", icon="key", permissions=["change"], url_path="issue-token")
    def issue_token(self, request: HttpRequest, object_id: str) -> HttpResponse:
        peer = self.found(request, object_id)
        form = TokenForm(request.POST or None)
        context: dict[str, Any] = {"peer": peer, "form": form, "back_url": self.back(object_id)}
        if request.method == "POST" and form.is_valid():
            with show_refusals(request):
                context["token"] = issue_peer_token(peer, days=form.cleaned_data["days"], by=actor_of(request.user))
        response = self.page(request, "peers/token.html", f"A token for {peer}", context)
        response["Cache-Control"] = "no-store"
        return response

    @action(
        description="Revoke all tokens",
        icon="key_off",
        permissions=["change"],
        url_path="revoke-tokens",
        dialog=dialog(
            "Revoke all tokens",
            "What it sends with one of them is refused at once. What it signs still counts. New ones may be issued.",
            FetchForm,
        ),
    )
    def revoke_all_tokens(self, request: HttpRequest, form: FetchForm, object_id: str) -> HttpResponse:
        peer = self.found(request, object_id)
        count = revoke_all(peer, by=actor_of(request.user))
        messages.success(request, f"{count} token{'' if count == 1 else 's'} revoked.")
        return self.go(request, self.back(object_id))

    @action(
        description="Outbound key",
        icon="vpn_key",
        permissions=["change"],
        url_path="outbound-key",
        dialog=dialog("Save the key", "The key that this peer gave us, for hubs that ask for one.", OutboundKeyForm),
    )
    def outbound_key(self, request: HttpRequest, form: OutboundKeyForm, object_id: str) -> HttpResponse:
        peer = self.found(request, object_id)
        with show_refusals(request):
            peers.set_outbound_key(peer, form.cleaned_data["key"], by=actor_of(request.user))
            messages.success(request, "The outbound key is saved." if peer.outbound_key else "The key is removed.")
        return self.go(request, self.back(object_id))

    def _decide(self, request: HttpRequest, object_id: str, service: Any, form: Any) -> HttpResponse:
        peer = self.found(request, object_id)
        try:
            service(peer, reason=form.cleaned_data["reason"], by=actor_of(request.user))
        except HubError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"{peer} is {peer.get_state_display().lower()}. {AFTER[peer.state]}")
        return self.go(request, self.back(object_id))
