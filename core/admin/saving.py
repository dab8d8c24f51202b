"""Saving of a form and its inlines in one unit of work, on every database."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin

from core.store.unit_of_work import unit_of_work


class UnitOfWorkMixin(ModelAdmin):
    """The base of admin pages that store a save or a deletion, with all its inlines, whole or not at all.

    Django's admin uses `atomic` for this purpose, but `atomic` rolls nothing back on MongoDB; so this class opens a
    unit of work.
    """

    def changeform_view(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().changeform_view(request, object_id, *args, **kwargs)
        with unit_of_work(with_accounts=True):
            return super().changeform_view(request, object_id, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().delete_view(request, *args, **kwargs)
        with unit_of_work(with_accounts=True):
            return super().delete_view(request, *args, **kwargs)
