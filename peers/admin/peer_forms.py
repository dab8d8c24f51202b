"""The forms of the staff's pages about peers: what is typed becomes the arguments of a service, or an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from core.errors import HubError
from peers.models import Intent, KeyState, Peer, PeerKey, PeerState, RegisteredAgent, Relationship, Visibility
from peers.protocol import ProtocolError, parse_json_object
from peers.services.trust.imports import MAX_BYTES
from peers.services.trust.keys import MAX_OVERLAP_DAYS, read_key
from peers.services.trust.peers import PeerSettings, checked_origins, checked_place

MAX_REASON = 2000
PERMISSIONS = "state.patch, events.log"

Checked = TypeVar("Checked")


class DateInput(UnfoldAdminTextInputWidget):
    """The browser's own calendar: the admin's needs scripts that only its change forms load."""

    input_type = "date"


class PeerAddForm(forms.ModelForm[Peer]):
    """What staff say of a peer that they add; approving it is a step of its own."""

    server_url = forms.CharField(
        required=False,
        label="Server URL",
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://partner.example.org"}),
        help_text="The base URL of the peer's hub. May be left empty where you have its DID.",
    )
    did = forms.CharField(
        required=False,
        label="DID",
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "did:web:partner.example.org"}),
        help_text="Optional: it follows from the URL.",
    )
    public_key = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "44 characters of base64"}),
        help_text="Optional: the Ed25519 key as the peer's people gave it to you. Otherwise fetch it after saving.",
    )
    refusal: str = ""

    class Meta:
        model = Peer
        fields = ["relationship", "notes"]
        help_texts = {"relationship": "An upstream peer may send us work, a downstream one gets it, a peer both."}

    def clean_public_key(self) -> str:
        """Refuse what is no key."""
        typed = str(self.cleaned_data["public_key"]).strip()
        if typed:
            _checked(lambda: read_key(typed))
        return typed

    def clean(self) -> dict[str, Any]:
        """Check URL and DID together: either may be derived from the other, and both must name one server."""
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            self.add_error(None, self.refusal)
        try:
            cleaned["server_url"], cleaned["did"] = checked_place(cleaned.get("server_url", ""), cleaned.get("did", ""))
        except HubError as error:
            field, _, text = error.message.partition(": ")
            self.add_error("did" if field == "did" else "server_url", text.capitalize())
        return cleaned

    def validate_unique(self) -> None:
        """Leave it to the service: a retired peer of this URL is no duplicate but is proposed again."""


class PeerForm(forms.ModelForm[Peer]):
    """What staff may change about a peer at any time; decisions about trust are actions, not fields."""

    callback_origins = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "placeholder": "https://callbacks.partner.example.org"}),
        help_text="Further origins that callbacks about this peer's work may go to, one a line.",
    )
    refusal: str = ""

    class Meta:
        model = Peer
        fields = ["display_name", "relationship", "requires_signature", "notes", "review_by"]
        help_texts = {
            "display_name": "The name that people here know it by.",
            "relationship": "An upstream peer may send us work, a downstream one gets it, a peer both.",
            "review_by": "The page of peers shows those whose review is due.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial, "callback_origins": "\n".join(self.instance.callback_origins)}

    def clean(self) -> dict[str, Any]:
        """Show why the hub refused what was typed."""
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned

    def clean_callback_origins(self) -> list[str]:
        """Return the origins as a list."""
        lines = tuple(str(self.cleaned_data["callback_origins"]).split())
        return _checked(lambda: checked_origins(lines))

    @property
    def wanted(self) -> PeerSettings:
        """Return what was typed."""
        typed = self.cleaned_data
        return PeerSettings(
            display_name=typed["display_name"],
            relationship=typed["relationship"],
            requires_signature=typed["requires_signature"],
            callback_origins=tuple(typed["callback_origins"]),
            notes=typed["notes"],
            review_by=typed["review_by"],
        )


def _reason_field(*, required: bool, help_text: str) -> forms.CharField:
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
    return forms.CharField(required=required, max_length=MAX_REASON, widget=widget, help_text=help_text)


class ReasonForm(BaseDialogForm):
    """What is asked before a decision that explains itself."""

    reason = _reason_field(required=False, help_text="Optional; it is kept with the decision.")


class RequiredReasonForm(BaseDialogForm):
    """What is asked before a decision that others will ask about."""

    reason = _reason_field(required=True, help_text="Why. It is kept with the decision, for those who look later.")


class FetchForm(BaseDialogForm):
    """Confirms that the hub may ask the peer."""


class TokenForm(forms.Form):
    """What is asked before a token is issued."""

    days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        initial=365,
        label="Valid for days",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Up to ten years. Suspending or retiring the peer ends it earlier.",
    )


class OutboundKeyForm(BaseDialogForm):
    """The key that the peer gave us."""

    key = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="Sent to this peer's own origin alone, as X-API-Key, and stored encrypted. Empty: remove it.",
    )


class ApprovalForm(forms.Form):
    """The comparison that approves a peer: which key, and that somebody looked."""

    fingerprint = forms.ChoiceField(label="Fingerprint", widget=UnfoldAdminRadioSelectWidget(), required=False)
    compared = forms.BooleanField(
        widget=UnfoldBooleanSwitchWidget(),
        error_messages={"required": "Compare first: approving trusts whoever holds this key."},
    )
    reason = _reason_field(required=False, help_text="How it was compared and with whom; kept with the decision.")
    review_by = forms.DateField(required=False, widget=DateInput(), help_text="When to look again.")

    def __init__(self, *args: Any, keys: Iterable[PeerKey], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = [key for key in keys if key.state != KeyState.REVOKED]
        if shown:
            self.fields["fingerprint"].choices = [(key.fingerprint, key.fingerprint) for key in shown]  # type: ignore[attr-defined]
            self.fields["fingerprint"].required = True
            self.fields["fingerprint"].error_messages["required"] = "Pick the fingerprint that you have compared."
            self.fields["compared"].label = "I have compared this fingerprint with the peer's people"
            self.fields["compared"].help_text = "By phone or in person: not by what the peer's own server says."
        else:
            del self.fields["fingerprint"]
            self.fields["compared"].label = "Approve it without a key"
            self.fields["compared"].help_text = "It cannot sign then: only a token that you issue to it will count."


class KeyApprovalForm(forms.Form):
    """The comparison that approves a changed key."""

    overlap_days = forms.IntegerField(
        min_value=0,
        max_value=MAX_OVERLAP_DAYS,
        initial=7,
        label="Older keys count for days",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="What the peer signed before the change may still be under way. 0 ends the older keys at once.",
    )
    compared = forms.BooleanField(
        label="I have compared this fingerprint with the peer's people",
        help_text="By phone or in person: not by what the peer's own server says.",
        widget=UnfoldBooleanSwitchWidget(),
        error_messages={"required": "Compare first: approving trusts whoever holds this key."},
    )
    reason = _reason_field(required=False, help_text="How it was compared and with whom; kept in the journal.")


class ImportForm(forms.Form):
    """A list of peers, as a file or pasted."""

    file = forms.FileField(required=False, widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.json"}))
    text = forms.CharField(
        required=False,
        label="Or paste it",
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "placeholder": "server_url,relationship,public_key,notes"}),
    )

    def clean(self) -> dict[str, Any]:
        """Make one text of either."""
        cleaned = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file is not None and file.size > MAX_BYTES:
            raise ValidationError(f"The file is larger than {MAX_BYTES // 1024} KB.")
        if file is not None:
            try:
                cleaned["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError as exc:
                raise ValidationError("The file is not UTF-8 text.") from exc
        if not cleaned.get("text", "").strip():
            raise ValidationError("Pick a file or paste its text.")
        return cleaned


class JsonObjectField(forms.CharField):
    """A JSON object as text."""

    widget = UnfoldAdminTextareaWidget

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}), **kwargs)

    def prepare_value(self, value: Any) -> str:
        """Return an object as its text; what was typed stays as it was."""
        return value if isinstance(value, str) else json.dumps(value or {}, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> Any:
        """Return the object."""
        try:
            return parse_json_object(super().clean(value) or "{}")
        except ProtocolError as exc:
            raise ValidationError(f"Write a JSON object: {exc}.") from exc


class IntentForm(forms.ModelForm[Intent]):
    """An intent that is described here."""

    state = JsonObjectField(help_text="What is known at the start; the peer's deltas are merged into a copy of it.")
    constraints = JsonObjectField(help_text="What whoever does the work must keep to.")

    class Meta:
        model = Intent
        fields = ["title", "description"]


class DispatchForm(forms.Form):
    """Where an intent goes, and what may be done with it there."""

    peer = forms.ModelChoiceField(
        queryset=Peer.objects.filter(
            state=PeerState.APPROVED, relationship__in=[Relationship.PEER, Relationship.DOWNSTREAM]
        ),
        widget=UnfoldAdminSelectWidget(),
        empty_label="Pick an approved peer",
    )
    agent_id = forms.CharField(
        required=False,
        max_length=255,
        label="Agent",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "fraud-triage"}),
        help_text="The id of one of the peer's agents, as its people or its list name it. Empty: the peer chooses.",
    )
    permissions = forms.CharField(
        required=False,
        initial=PERMISSIONS,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="What the peer may do with it, separated by commas; state.patch lets it report progress.",
    )
    max_delegation_depth = forms.IntegerField(
        min_value=0,
        max_value=8,
        initial=1,
        label="Times it may be passed on",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="0 keeps it at the peer; 1 lets the peer send it to one of its own, and so on.",
    )

    def clean_permissions(self) -> list[str]:
        """Return the permissions as a list."""
        words = [word.strip() for word in str(self.cleaned_data["permissions"]).split(",")]
        if "*" in words:
            raise ValidationError("Name each permission: * is refused by every hub that checks.")
        return sorted({word for word in words if word})


class RegisteredAgentForm(forms.ModelForm[RegisteredAgent]):
    """An agent that no federation discovers."""

    capabilities = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "summarise, translate"}),
        help_text="Words that say what it can do, separated by commas.",
    )
    refusal: str = ""

    class Meta:
        model = RegisteredAgent
        fields = ["agent_id", "server_url", "visibility"]
        labels = {"server_url": "Server URL"}
        help_texts = {
            "agent_id": "The name that peers dispatch to. It stays: register another agent to rename one.",
            "server_url": "Where it is served; empty for this hub.",
            "visibility": "Public: everyone sees it. Unlisted: approved peers. Private: nobody outside.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial, "capabilities": ", ".join(map(str, self.instance.capabilities))}

    def clean_capabilities(self) -> list[str]:
        """Return the capabilities as a list."""
        words = [word.strip() for word in str(self.cleaned_data["capabilities"]).split(",")]
        return [word for word in words if word]

    def clean(self) -> dict[str, Any]:
        """Show why the hub refused what was typed."""
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned


VISIBILITY_HELP: Mapping[str, str] = {
    Visibility.PUBLIC: "everyone sees it",
    Visibility.UNLISTED: "approved peers see it",
    Visibility.PRIVATE: "nobody outside sees it",
}


def _checked(check: Callable[[], Checked]) -> Checked:
    try:
        return check()
    except HubError as error:
        raise ValidationError(error.message.partition(": ")[2].capitalize() or error.message) from error
