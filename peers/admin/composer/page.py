"""The composer's page: the form, the look at what is sent, and the dispatch."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.enums import ActionVariant

from core.actors import actor_of
from core.admin.labels import format_age
from core.admin.row_pages import RowPagesMixin
from core.errors import HubError
from peers.admin.composer.forms import TEXTS, ComposeForm, targets
from peers.admin.composer.links import MAY_DISPATCH, composer_url, may_compose
from peers.admin.json_fields import json_as_fields
from peers.admin.work.peer_waits import why_waiting
from peers.models import Intent, Peer
from peers.protocol import FederationEnvelope, ProtocolError
from peers.services.answer_words import NOT_APPROVED, in_words, meaning_of
from peers.services.catalog.intents import is_editable
from peers.services.catalog.peer_agents import agents_of, fetch_agents
from peers.services.outbox.callbacks import STATE_PATCH
from peers.services.outbox.compose import send_work
from peers.services.outbox.dispatch import draft_envelope

EDIT, SEND = "edit", "send"
MAX_AGENTS_SHOWN = 300
ASK_AGAIN = timedelta(seconds=30)
NO_AGENTS = "no agent to this hub. Type the id of an agent, or let the peer choose."


class ComposerMixin(RowPagesMixin):
    """Adds the composer to the pages of intents: for new work, for an intent, and for a copy of one."""

    actions_list = ["send_work"]
    actions_detail = ["dispatch_on", "copy_as_new"]

    def has_dispatch_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may dispatch intents to peers."""
        return bool(request.user.has_perm(MAY_DISPATCH))

    def has_compose_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may describe new work and dispatch it."""
        return may_compose(request)

    def get_urls(self) -> list[Any]:
        agents = path("agents/", self.admin_site.admin_view(self.agents_view), name="peers_intent_agents")
        return [agents, *super().get_urls()]

    @action(description="Send work", icon="send", permissions=["compose"], url_path="send-work")
    def send_work(self, request: HttpRequest) -> HttpResponse:
        return self._compose(request, None)

    @action(
        description="Dispatch…",
        icon="send",
        variant=ActionVariant.PRIMARY,
        permissions=["dispatch"],
        url_path="dispatch",
    )
    def dispatch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._compose(request, self.row_or_404(request, object_id))

    @action(description="Copy as new", icon="content_copy", permissions=["compose"], url_path="copy")
    def copy_as_new(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(composer_url(like=self.row_or_404(request, object_id).pk))

    def agents_view(self, request: HttpRequest) -> HttpResponse:
        """Return the list of the agents of the peer that the request names; a POST asks the peer for its list first."""
        if not self.has_dispatch_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        peer = targets().filter(pk=given.get("peer", "")[:24]).first()
        if peer is not None and request.method == "POST":
            fetch_agents(peer.pk, timezone.now())
            peer.refresh_from_db()
        context: dict[str, Any] = {"peer": peer, "none": NO_AGENTS}
        if peer is not None:
            context["agents"] = agents_of(peer)[:MAX_AGENTS_SHOWN]
            context["error"] = in_words(peer.agents_error).removesuffix(".")
            context["age"] = format_age(peer.agents_fetched_at)
            context["tried"] = format_age(peer.agents_tried_at)
            context["is_to_ask"] = request.method == "GET" and _is_to_ask(peer)
        return TemplateResponse(request, "peers/composer_agents.html", context)

    def _compose(self, request: HttpRequest, intent: Intent | None) -> HttpResponse:
        may_change = intent is None or (self.has_change_permission(request, intent) and is_editable(intent))
        form = ComposeForm(
            request.POST or None, intent=intent, may_change_texts=may_change, initial=self._initial(request)
        )
        step = request.POST.get("step", "")
        envelope = None
        if request.method == "POST" and form.is_valid() and step != EDIT:
            try:
                if step == SEND:
                    sent = send_work(form.wanted(), by=actor_of(request.user))
                    messages.success(request, f"The work for {sent.peer} is stored. This page follows it.")
                    return self.redirect_to(request, reverse("admin:peers_dispatch_change", args=[sent.pk]))
                envelope = draft_envelope(form.wanted(), now=timezone.now())
            except (HubError, ProtocolError) as error:
                form.add_error(None, str(error))
        if envelope is not None:
            return self._look(request, form, envelope)
        context = {
            "form": form,
            "intent": intent,
            "has_peer": form.fields["peer"].queryset.exists(),  # type: ignore[attr-defined]
            "back_url": self.row_url(intent.pk) if intent else reverse("admin:peers_intent_changelist"),
        }
        title = f"Dispatch {intent.title}" if intent else "Send work"
        return self.extra_page(request, "peers/composer.html", title, context)

    def _look(self, request: HttpRequest, form: ComposeForm, envelope: FederationEnvelope) -> HttpResponse:
        peer = form.cleaned_data["peer"]
        context = {
            "form": form,
            "peer": peer,
            "envelope": json_as_fields(envelope.to_dict()),
            "warnings": _warnings(form, peer),
        }
        return self.extra_page(request, "peers/composer_preview.html", f"Look at what {peer} gets", context)

    def _initial(self, request: HttpRequest) -> dict[str, Any]:
        """Return the first content of the form: what the query names, and the texts of the intent to copy."""
        initial: dict[str, Any] = {
            "peer": request.GET.get("peer", "")[:24],
            "agent_id": request.GET.get("agent", "")[:255],
        }
        like = request.GET.get("like", "")[:64]
        copied = self.get_queryset(request).filter(pk=like).first() if like else None
        return initial | ({name: getattr(copied, name) for name in TEXTS} if copied else {})


def _is_to_ask(peer: Peer) -> bool:
    """Tell whether the page asks the peer for its agents by itself: while there is no list, not more often than needed.

    The cause of an earlier failure may be gone, such as an approval that was missing.
    """
    tried = peer.agents_tried_at
    return tried is None or (peer.agents_fetched_at is None and timezone.now() - tried > ASK_AGAIN)


def _warnings(form: ComposeForm, peer: Peer) -> list[str]:
    """Return what staff should know before they dispatch; none of it forbids the dispatch."""
    found, now = [], timezone.now()
    wanted = form.wanted()
    if meaning_of(peer.agents_error) is NOT_APPROVED:
        found.append(f"{NOT_APPROVED.said} {NOT_APPROVED.step.partition(', then')[0]} first.")
    elif wanted.agent_id:
        if peer.agents_fetched_at is None:
            found.append("The hub has no list of the peer's agents, so it could not check the agent's id.")
        elif not agents_of(peer).filter(agent_id=wanted.agent_id).exists():
            found.append(f"The peer's list has no agent {wanted.agent_id}. The peer refuses an id that it lacks.")
    if wanted.scope is not None and not wanted.scope.allows(STATE_PATCH):
        found.append("Without state.patch the peer reports neither progress nor an answer, only the end of the work.")
    said, step = why_waiting(peer, now)
    if said:
        found.append(f"{said} {step}")
    return found
