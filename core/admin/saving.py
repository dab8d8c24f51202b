"""Saving a form and its inlines whole, whichever database holds the registry."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin

from core.store.units import unit_of_work


class SavedWholeMixin(ModelAdmin):
    """What Django's own `atomic` does on other databases: a save or a deletion is done whole or not at all."""

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
