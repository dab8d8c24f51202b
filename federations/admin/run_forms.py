"""The forms of runs: give work to an agent, answer its question, refuse and cancel."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from core.malformed_input import MalformedMessage
from core.strict_json import Json, parse_json
from federations.admin.run_parts import Room, text_block
from federations.admin.visible_text import visible
from federations.models import AgentRun
from federations.services.access import runs_visible_to
from federations.services.runs.make import MAX_DATA_BYTES, MAX_TEXT

MAX_REASON = 500
QUESTION_CHARACTERS = 2_000


class TryForm(forms.Form):
    """Work for an agent: a text, and data as JSON. `nonce` tells a form that is sent twice from another form."""

    text = forms.CharField(
        max_length=MAX_TEXT,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autofocus": True}),
        help_text="What the agent is asked to do, as one message.",
    )
    data = forms.CharField(  # type: ignore[assignment]
        required=False,
        label="Data",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "placeholder": '{"month": "May"}', "spellcheck": "false"}),
        help_text="Optional: a JSON object, which the agent gets as a second part of the message.",
    )
    nonce = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def clean_text(self) -> str:
        """Refuse a text of white space alone."""
        text = str(self.cleaned_data["text"])
        if not text.strip():
            raise ValidationError("Type what the agent is asked to do.")
        return text

    def clean_data(self) -> Json:
        """Return the JSON object, or None."""
        typed = str(self.cleaned_data["data"]).strip()
        if not typed:
            return None
        try:
            value = parse_json(typed, max_bytes=MAX_DATA_BYTES)
        except MalformedMessage as error:
            raise ValidationError(f"This is not JSON that the hub can send: {error}") from error
        if not isinstance(value, dict):
            raise ValidationError('Type a JSON object, as in {"month": "May"}.')
        return value


def typed_data(value: Json) -> str:
    """Return stored data as the form shows it."""
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)


class AnswerForm(BaseDialogForm):
    """The answer to the question that the dialog shows; `number` tells which question it was."""

    form_before_template = "federations/run_question.html"
    number = forms.IntegerField(widget=forms.HiddenInput)
    text = forms.CharField(
        label="Answer",
        max_length=MAX_TEXT,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "autofocus": True}),
    )

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, object_id, *args, **kwargs)
        self.run: AgentRun | None = runs_visible_to(request.user).filter(pk=object_id).first()
        self.fields["number"].initial = self.run.input_number if self.run else 0

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {
            "question": text_block(self.run.question, Room(QUESTION_CHARACTERS))
            if self.run and self.run.question
            else ""
        }

    def clean_text(self) -> str:
        """Refuse a text of white space alone."""
        text = str(self.cleaned_data["text"])
        if not text.strip():
            raise ValidationError("Type the answer.")
        return text


class RefuseForm(BaseDialogForm):
    """Why the work is refused."""

    reason = forms.CharField(
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "autofocus": True}),
        help_text="The hub tells this reason to the sender of the work.",
    )


class CancelForm(BaseDialogForm):
    """Why a run is cancelled, if the person says so."""

    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "autofocus": True}),
        help_text="Optional. For the work of a peer, the hub tells this reason to its sender.",
    )


class ApproveForm(BaseDialogForm):
    """The dialog that lets the agent begin; it shows the work once more."""

    form_before_template = "federations/run_work.html"

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        run = runs_visible_to(request.user).filter(pk=object_id).first()
        if run is None:
            return {}
        return {"agent": visible(run.agent_name), "work": text_block(run.text, Room(QUESTION_CHARACTERS))}
