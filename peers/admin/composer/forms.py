"""The composer's form: to whom, what to do, within which limits, and what the peer may do with it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from core.strict_json import JsonObject
from peers.admin.intent_forms import JsonObjectField
from peers.models import Intent, Peer, PeerState, Relationship
from peers.protocol import DelegationScope, FederationPolicy
from peers.protocol.delegation_scope import DEFAULT_PERMISSIONS, WILDCARD
from peers.services.inbox.compliance import REQUIRE_APPROVAL
from peers.services.outbox.compose import intent_id_of
from peers.services.outbox.dispatch import IntentText, Wanted

PERMISSIONS = (
    ("state.patch", "state.patch: report progress and the answer"),
    ("events.log", "events.log: report questions and warnings"),
)
TEXTS = ("title", "description", "state", "constraints")
LIMITS = ("max_llm_tokens", "max_tool_calls", "cost_ceiling_usd")
TARGET_FIELDS = ("peer", "agent_id")
LIMIT_FIELDS = (*LIMITS, "ends_at", "asks_approval")
SCOPE_FIELDS = ("permissions", "other_permissions", "max_delegation_depth")
LOCAL_TIME = "%Y-%m-%dT%H:%M"
MAX_DESCRIPTION_CHARS = 100_000
LARGEST = 10**12


class LocalTimeWidget(forms.DateTimeInput):
    """The browser's own field for a day and a time."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"class": " ".join(INPUT_CLASSES)}, format=LOCAL_TIME)


def targets() -> Any:
    """Return the peers to which this hub may send work."""
    return Peer.objects.filter(
        state=PeerState.APPROVED, relationship__in=[Relationship.PEER, Relationship.DOWNSTREAM]
    ).order_by("server_url")


class ComposeForm(forms.Form):
    """What one dispatch says. `key` is the id of the dispatch, so a form that is sent twice dispatches once."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    peer = forms.ModelChoiceField(
        queryset=Peer.objects.none(),
        widget=UnfoldAdminSelect2Widget(),
        empty_label="Pick an approved peer",
        error_messages={"invalid_choice": "This peer is not approved, or may get no work. Pick another one."},
    )
    agent_id = forms.CharField(
        required=False,
        max_length=255,
        label="Agent",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "fraud-triage", "autocomplete": "off"}),
        help_text="Pick one of the peer's agents below, or type an id. Empty: the peer chooses an agent.",
    )
    title = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget())
    description = forms.CharField(
        required=False,
        max_length=MAX_DESCRIPTION_CHARS,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="What the agent is asked to do, with all that it needs to know.",
    )
    state = JsonObjectField(help_text="The state at the start. The hub merges the peer's reports into a copy of it.")
    constraints = JsonObjectField(help_text="Rules that the agent must keep to.")
    max_llm_tokens = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LARGEST,
        label="LLM tokens, at most",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Empty: no limit of yours. The peer's own limits hold in any case.",
    )
    max_tool_calls = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LARGEST,
        label="Tool calls, at most",
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    cost_ceiling_usd = forms.DecimalField(
        required=False,
        min_value=0.0001,
        max_value=LARGEST,
        max_digits=17,
        decimal_places=4,
        label="Cost in USD, at most",
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    ends_at = forms.DateTimeField(
        required=False,
        label="Ends at",
        input_formats=[LOCAL_TIME, f"{LOCAL_TIME}:%S"],
        widget=LocalTimeWidget(),
        help_text="The peer's permissions end then, so that it starts no work later. Empty: no end of yours.",
    )
    asks_approval = forms.BooleanField(
        required=False,
        label="The peer's staff approve the work first",
        widget=UnfoldBooleanWidget(),
    )
    permissions = forms.MultipleChoiceField(
        required=False,
        choices=PERMISSIONS,
        initial=list(DEFAULT_PERMISSIONS),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="The end of the work is always reported.",
    )
    other_permissions = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Further permissions that you and the peer have agreed on, separated by commas.",
    )
    max_delegation_depth = forms.IntegerField(
        min_value=0,
        max_value=8,
        initial=1,
        label="Delegation depth",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="How often the work may be passed on. 0: the peer keeps it. 1: the peer may send it on once.",
    )

    def __init__(self, *args: Any, intent: Intent | None, may_change_texts: bool, **options: Any) -> None:
        """Take the intent that is dispatched, if there is one; its texts are fixed unless they may change."""
        super().__init__(*args, **options)
        self.intent, self.may_change_texts = intent, may_change_texts
        self.fields["ends_at"].label = f"Ends at ({timezone.get_current_timezone_name()})"
        self.initial.setdefault("key", uuid4())
        self.fields["peer"].queryset = targets()  # type: ignore[attr-defined]
        if intent is not None:
            self.initial.update({name: getattr(intent, name) for name in TEXTS})
        for name in TEXTS if not may_change_texts else ():
            self.fields[name].disabled = True

    def clean_ends_at(self) -> Any:
        """Refuse a time that has passed."""
        moment = self.cleaned_data["ends_at"]
        if moment is not None and moment <= timezone.now():
            raise ValidationError("This time has passed. Pick a later one.")
        return moment

    def clean_other_permissions(self) -> list[str]:
        """Return the names, or raise ValidationError for a wildcard."""
        words = [word.strip() for word in str(self.cleaned_data["other_permissions"]).split(",")]
        if WILDCARD in words:
            raise ValidationError("Name each permission. Peers refuse the wildcard *.")
        return [word for word in words if word]

    def groups(self) -> list[tuple[str, str, list[Any]]]:
        """Return the visible fields as cards: title, explanation, fields."""
        own = "" if self.may_change_texts else "Fixed, because the intent was dispatched, or came from a peer."
        return [
            ("To whom", "", [self[name] for name in TARGET_FIELDS]),
            ("Work", own, [self[name] for name in ("title", "description")]),
            ("Limits", "The peer keeps the stricter of these and its own.", [self[name] for name in LIMIT_FIELDS]),
            ("What the peer may do", "", [self[name] for name in SCOPE_FIELDS]),
        ]

    def data_fields(self) -> list[Any]:
        """Return the fields for programs, which most work leaves empty."""
        return [self["state"], self["constraints"]]

    def wanted(self) -> Wanted:
        """Return what the valid form asks for."""
        typed = self.cleaned_data
        dispatch_id = str(typed["key"])
        texts = IntentText(**{name: typed[name] for name in TEXTS}) if self.may_change_texts else IntentText()
        return Wanted(
            intent_id=self.intent.pk if self.intent else intent_id_of(dispatch_id),
            target_server=typed["peer"].server_url,
            agent_id=typed["agent_id"],
            scope=self._scope(),
            policy=self._policy(),
            overrides=texts,
            dispatch_id=dispatch_id,
        )

    def _scope(self) -> DelegationScope:
        typed = self.cleaned_data
        return DelegationScope(
            permissions=sorted({*typed["permissions"], *typed["other_permissions"]}),
            max_delegation_depth=typed["max_delegation_depth"],
            expires_at=typed["ends_at"].isoformat() if typed["ends_at"] else None,
        )

    def _policy(self) -> FederationPolicy | None:
        typed = self.cleaned_data
        budget: JsonObject = {}
        for name in LIMITS:
            if (bound := typed[name]) is not None:
                budget[name] = bound if isinstance(bound, int) else float(bound)
        governance: JsonObject = {REQUIRE_APPROVAL: True} if typed["asks_approval"] else {}
        return FederationPolicy(governance=governance, budget=budget) if budget or governance else None
