"""The grants of access in a federation's form, and who may change them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import UnfoldAdminSelect2Widget

from federations.models import AccessLevel, Federation, FederationGrant
from federations.services.access import level_of


class GrantForm(forms.ModelForm[FederationGrant]):
    """The row of one grant in the federation form. Staff pick its holder: a user or a group of the hub."""

    holder = forms.ChoiceField(widget=UnfoldAdminSelect2Widget())

    class Meta:
        model = FederationGrant
        fields = ["level"]

    def __init__(self, *args: Any, holders: HolderChoices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = holder_key(self.instance)
        self.names = {key: name for _, group in holders for key, name in group}
        choices: list[Any] = [("", "Pick a user or group"), *holders]
        if current and current not in self.names:
            self.names[current] = self.instance.holder_name
            choices.append((current, f"{self.instance.holder_name} (deleted or inactive)"))
        self.fields["holder"].choices = choices  # type: ignore[attr-defined]
        self.fields["holder"].initial = current
        self.fields["level"].choices = LEVEL_CHOICES  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Copy the id and the name of the picked holder to the grant."""
        cleaned = super().clean() or self.cleaned_data
        kind, _, holder_id = str(cleaned.get("holder", "")).partition(":")
        self.instance.user_id = holder_id if kind == "user" else ""
        self.instance.group_id = holder_id if kind == "group" else ""
        self.instance.holder_name = self.names.get(cleaned.get("holder", ""), "").removesuffix(" (group)")[:200]
        return cleaned


class GrantFormSet(PaginationInlineFormSet, BaseInlineFormSet):  # type: ignore[type-arg]
    """The rows of the grants of one federation: reads the users and groups once, and allows one grant for each."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """Pass the same choices of users and groups to every form."""
        if not hasattr(self, "_holders"):
            self._holders = holder_choices()
        return {**super().get_form_kwargs(index), "holders": self._holders}

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)
        # The audit log's entry of a grant names the federation; without a row at hand that were a query each.
        form.instance.federation = self.instance
        return form

    def clean(self) -> None:
        """Refuse a second grant for the same holder."""
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            holder = (getattr(form, "cleaned_data", None) or {}).get("holder")
            if not holder or form in self.deleted_forms:
                continue
            if holder in seen:
                form.add_error("holder", "This holder already has a grant. Change that grant.")
            seen.add(holder)


LEVEL_CHOICES = [
    (AccessLevel.VIEW.value, "View: read"),
    (AccessLevel.EDIT.value, "Edit: also change, sync and apply plans"),
    (AccessLevel.OWNER.value, "Owner: also end reviews, give access and delete"),
]
HolderChoices = list[tuple[str, list[tuple[str, str]]]]


def holder_choices() -> HolderChoices:
    """Return the active users and the groups as grouped choices, in two queries."""
    users = get_user_model().objects.filter(is_active=True).order_by("username").values_list("pk", "username")
    groups = Group.objects.order_by("name").values_list("pk", "name")
    return [
        ("Users", [(f"user:{key}", name) for key, name in users]),
        ("Groups", [(f"group:{key}", f"{name} (group)") for key, name in groups]),
    ]


def holder_key(grant: FederationGrant) -> str:
    """Return the choice of a grant's holder, or an empty string for a new grant."""
    if grant.user_id:
        return f"user:{grant.user_id}"
    return f"group:{grant.group_id}" if grant.group_id else ""


class GrantInline(TabularInline):
    """The grants in the form of a federation. Only an owner may edit them. Users with a model permission need none."""

    model = FederationGrant
    form = GrantForm
    formset = GrantFormSet
    fields = ["holder", "level"]
    extra = 0
    verbose_name = "grant"
    verbose_name_plural = "Access to this federation"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and is_owner(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and is_owner(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and is_owner(request, obj)

    @display(description="Holder")
    def holder(self, grant: FederationGrant) -> str:
        return grant.holder_name


def is_owner(request: HttpRequest, federation: Federation | None) -> bool:
    """Tell whether the user is an owner of `federation`, which is None while the user adds a federation.

    Only an owner may change grants, because otherwise an editor could raise the level of the editor's own grant.
    """
    # The person who adds a federation becomes its owner.
    return federation is None or level_of(request.user, federation) >= AccessLevel.OWNER
