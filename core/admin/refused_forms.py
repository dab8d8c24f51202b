"""A form that a service refused: the page shows it again, with the typed values and the reason.

A service refuses inside the transaction that saves the form. `RefusalOnFormMixin` on the page catches the refusal after
the transaction is undone and builds the form once more; `ShowsRefusal` on the form shows the reason above the fields.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from core.errors import HubError


class RefusalOnFormMixin(ModelAdmin):
    """Admin pages whose form a service may refuse: the page shows the refused form again, with the reason.

    List this class before `UnitOfWorkMixin` among the base classes, because the transaction of `UnitOfWorkMixin` must
    end before this class builds the form again.
    """

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", "")})

    def changeform_view(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except HubError as error:
            request.refusal = error.message  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, *args, **kwargs)


class ShowsRefusal(forms.BaseForm):
    """The base of a form on a page with RefusalOnFormMixin: the form shows why the service refused it.

    RefusalOnFormMixin sets `refusal` to the message of the service; it is empty at the first attempt.
    """

    refusal: str = ""

    def clean(self) -> dict[str, Any]:
        """Add `refusal` to those errors that belong to the whole form and not to one field."""
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned
