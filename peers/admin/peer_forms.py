"""Forms about peers: add one, change its settings, approve it or a key, issue a token, import a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from core.admin.refused_forms import ShowsRefusal
from core.errors import HubError
from peers.admin.dialogs import reason_field
from peers.models import Peer, PeerKey
from peers.services.trust.keys import MAX_OVERLAP_DAYS, read_key
from peers.services.trust.peer_addresses import checked_place
from peers.services.trust.peer_imports import MAX_BYTES
from peers.services.trust.peers import PeerSettings, checked_origins

Checked = TypeVar("Checked")
RELATIONSHIP_HELP = "Upstream: the peer may send work to this hub. Downstream: this hub sends work to it. Peer: both."
COMPARED_LABEL = "I have compared this fingerprint with the peer's staff"
COMPARED_HELP = "Compare by phone or in person. Do not compare with a page of the peer's own server."
NOT_COMPARED = "Compare first: the hub trusts every message that this key signs."
COMPARISON_HELP = "How you compared it and with whom. The hub keeps it with the decision."


class DateInput(UnfoldAdminTextInputWidget):
    """The browser's date field. The admin's own calendar needs scripts that only change forms load."""

    input_type = "date"


class PeerAddForm(ShowsRefusal, forms.ModelForm[Peer]):
    """A new peer. The hub stores it as proposed; staff approve it later."""

    server_url = forms.CharField(
        required=False,
        label="Server URL",
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://partner.example.org"}),
        help_text="The base URL of the peer's hub. Optional if you give its DID.",
    )
    did = forms.CharField(
        required=False,
        label="DID",
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "did:web:partner.example.org"}),
        help_text="Optional: the hub derives it from the URL.",
    )
    public_key = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "44 characters of base64"}),
        help_text="Optional: the Ed25519 key, if the peer's staff gave it to you. You can fetch it after saving.",
    )

    class Meta:
        model = Peer
        fields = ["relationship", "notes"]
        help_texts = {"relationship": RELATIONSHIP_HELP}

    def clean_public_key(self) -> str:
        """Return the key, or raise ValidationError for a text that is not an Ed25519 key."""
        typed = str(self.cleaned_data["public_key"]).strip()
        if typed:
            _or_validation_error(lambda: read_key(typed))
        return typed

    def clean(self) -> dict[str, Any]:
        """Derive the URL from the DID or the DID from the URL, and check that both name one server."""
        cleaned = super().clean()
        try:
            cleaned["server_url"], cleaned["did"] = checked_place(cleaned.get("server_url", ""), cleaned.get("did", ""))
        except HubError as error:
            field, _, text = error.message.partition(": ")
            self.add_error("did" if field == "did" else "server_url", text.capitalize())
        return cleaned

    def validate_unique(self) -> None:
        """Check nothing: the service proposes a retired peer of this URL again, and refuses other duplicates."""


class PeerForm(ShowsRefusal, forms.ModelForm[Peer]):
    """The settings of a peer. Decisions about trust are actions, not fields."""

    callback_origins = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "placeholder": "https://callbacks.partner.example.org"}),
        help_text="Further origins to which this hub may send callbacks about the peer's work, one per line.",
    )

    class Meta:
        model = Peer
        fields = ["display_name", "relationship", "requires_signature", "notes", "review_by"]
        help_texts = {
            "display_name": "The peer's name on the pages of this hub.",
            "relationship": RELATIONSHIP_HELP,
            "review_by": "From this day on, the dashboard and the list of peers show that a review is due.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial, "callback_origins": "\n".join(self.instance.callback_origins)}

    def clean_callback_origins(self) -> list[str]:
        """Return the origins as a list, or raise ValidationError."""
        lines = tuple(str(self.cleaned_data["callback_origins"]).split())
        return _or_validation_error(lambda: checked_origins(lines))

    @property
    def settings(self) -> PeerSettings:
        """Return the typed settings of a valid form."""
        typed = self.cleaned_data
        return PeerSettings(
            display_name=typed["display_name"],
            relationship=typed["relationship"],
            requires_signature=typed["requires_signature"],
            callback_origins=tuple(typed["callback_origins"]),
            notes=typed["notes"],
            review_by=typed["review_by"],
        )


class TokenForm(forms.Form):
    """Asks for the time that a new peer-bound token is valid."""

    days = forms.IntegerField(
        min_value=1,
        max_value=3650,
        initial=365,
        label="Valid for days",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="At most ten years. The token ends earlier if you suspend or retire the peer.",
    )


class ApprovalForm(forms.Form):
    """Asks staff who approve a peer for the compared key, and for the statement that they compared the key."""

    fingerprint = forms.ChoiceField(label="Fingerprint", widget=UnfoldAdminRadioSelectWidget(), required=False)
    compared = forms.BooleanField(widget=UnfoldBooleanSwitchWidget(), error_messages={"required": NOT_COMPARED})
    reason = reason_field(required=False, help_text=COMPARISON_HELP)
    review_by = forms.DateField(required=False, widget=DateInput(), help_text="When to review this decision.")

    def __init__(self, *args: Any, keys: Iterable[PeerKey], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = [key for key in keys if key.is_offered]
        if shown:
            self.fields["fingerprint"].choices = [(key.fingerprint, key.fingerprint) for key in shown]  # type: ignore[attr-defined]
            self.fields["fingerprint"].required = True
            if len(shown) == 1:
                # The statement below says that staff compared it.
                self.fields["fingerprint"].initial = shown[0].fingerprint
            self.fields["fingerprint"].error_messages["required"] = "Pick the fingerprint that you have compared."
            self.fields["compared"].label = COMPARED_LABEL
            self.fields["compared"].help_text = COMPARED_HELP
        else:
            del self.fields["fingerprint"]
            self.fields["compared"].label = "Approve the peer without a key"
            self.fields["compared"].error_messages["required"] = "Tick this, or fetch its documents first."
            self.fields["reason"].help_text = "Why you trust it without a key. The hub keeps it with the decision."
            self.fields["compared"].help_text = "The hub then trusts only requests with a token that you issue to it."


class KeyApprovalForm(forms.Form):
    """Asks staff who approve a changed key how long older keys stay valid, and whether they compared the key."""

    overlap_days = forms.IntegerField(
        min_value=0,
        max_value=MAX_OVERLAP_DAYS,
        initial=7,
        label="Older keys stay valid for days",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Messages that the peer signed before the change may still arrive. 0 ends the older keys at once.",
    )
    compared = forms.BooleanField(
        label=COMPARED_LABEL,
        help_text=COMPARED_HELP,
        widget=UnfoldBooleanSwitchWidget(),
        error_messages={"required": NOT_COMPARED},
    )
    reason = reason_field(
        required=False, help_text="How you compared it and with whom. The hub writes it to the journal."
    )


class ImportForm(forms.Form):
    """Asks for the list of peers to import, as a file or as pasted text."""

    file = forms.FileField(required=False, widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.json"}))
    text = forms.CharField(
        required=False,
        label="Or paste the list",
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "placeholder": "server_url,relationship,public_key,notes"}),
    )

    def clean(self) -> dict[str, Any]:
        """Put the file's text into `text`; a file of at most `MAX_BYTES` bytes replaces a pasted text."""
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
            raise ValidationError("Pick a file or paste a list.")
        return cleaned


def _or_validation_error(check: Callable[[], Checked]) -> Checked:
    try:
        return check()
    except HubError as error:
        raise ValidationError(error.message.partition(": ")[2].capitalize() or error.message) from error
