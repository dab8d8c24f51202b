"""The buttons of a received dispatch that nothing took: staff answer it by hand, or refuse it with a reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from core.actors import actor_of
from core.admin.refusals import show_refusals
from core.admin.row_pages import RowPagesMixin
from peers.admin.dialogs import dialog, reason_field
from peers.models import ReceivedDispatch
from peers.services.agent_work.by_hand import answer_by_hand, refuse_by_hand, waits_for_staff

MAY_ANSWER = "peers.change_receiveddispatch"
MAX_ANSWER_CHARS = 20_000


class AnswerForm(BaseDialogForm):
    """Asks for the result of the work."""

    text = forms.CharField(
        label="Answer",
        max_length=MAX_ANSWER_CHARS,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text="The peer gets it as the result, with this hub's attestation. The work is completed.",
    )


class RefuseForm(BaseDialogForm):
    """Asks why the work is not done."""

    reason = reason_field(required=True, help_text="The peer gets it as the reason. The work is failed.")


class ByHandMixin(RowPagesMixin):
    """Adds the buttons to the page of a received dispatch; a dispatch that an agent or a handler has shows none."""

    actions_detail = ["answer_work", "refuse_work"]

    def has_answer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether this person may end received work by hand."""
        return bool(request.user.has_perm(MAY_ANSWER))

    def actions_of_row(self, request: HttpRequest, object_id: str) -> set[str]:
        received = ReceivedDispatch.objects.filter(pk=object_id).defer("envelope", "delegation").first()
        return {"answer_work", "refuse_work"} if received and waits_for_staff(received) else set()

    @action(
        description="Answer…",
        icon="reply",
        variant=ActionVariant.PRIMARY,
        permissions=["answer"],
        url_path="answer",
        dialog=dialog("Answer", "You do the work of this dispatch by hand: nothing else took it.", AnswerForm),
    )
    def answer_work(self, request: HttpRequest, form: AnswerForm, object_id: str) -> HttpResponse:
        given = partial(answer_by_hand, text=form.cleaned_data["text"])
        return self._end(request, object_id, given, "The work is completed. The peer gets the answer.")

    @action(
        description="Refuse…",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["answer"],
        url_path="refuse",
        dialog=dialog("Refuse", "The work of this dispatch is not done.", RefuseForm),
    )
    def refuse_work(self, request: HttpRequest, form: RefuseForm, object_id: str) -> HttpResponse:
        given = partial(refuse_by_hand, reason=form.cleaned_data["reason"])
        return self._end(request, object_id, given, "The work is refused. The peer gets the reason.")

    def _end(self, request: HttpRequest, object_id: str, service: Callable[..., None], said: str) -> HttpResponse:
        received = self.row_or_404(request, object_id)
        with show_refusals(request):
            service(received.pk, by=actor_of(request.user))
            messages.success(request, said)
        return self.redirect_to(request, self.row_url(object_id))
