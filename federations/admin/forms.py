"""The forms of the registry's admin pages. A form turns typed text into a service's arguments or into field errors."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from unfold.forms import BaseDialogForm, PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from federations.admin.list_fields import PairsWidget, TagsWidget, read_pairs, read_tags
from federations.models import ChangePolicy, Federation, FederationGrant
from federations.providers.base import ProviderError, ProviderNotImplementedError
from federations.providers.registry import provider_for
from federations.services.schedule import LONGEST_INTERVAL_MINUTES, SHORTEST_INTERVAL_MINUTES
from federations.sync.resources import JsonObject

MAXIMUM_TAG_LENGTH = 200

# The form field of each key of an AgentCore `providerConfig`.
PROVIDER_FIELDS = {"region": "region", "assumeRoleArn": "role_arn", "resourceTagsFilter": "tag_filter"}


class FederationForm(forms.ModelForm[Federation]):
    """The fields of a federation that staff may edit. The services save them; this form never writes a row."""

    tags = forms.Field(
        required=False,
        widget=TagsWidget(),
        help_text="Words to find and group federations by. A row takes one tag, or several tags separated by commas.",
    )
    region = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "us-east-1"}),
        help_text="The hub discovers the AgentCore runtimes of this AWS region.",
    )
    role_arn = forms.CharField(
        required=False,
        max_length=2048,
        label="Role ARN",
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "arn:aws:iam::123456789012:role/fedhub-discovery"}  # an example, no account's
        ),
        help_text=(
            "The IAM role that the hub assumes in the account. You can save without a role first: "
            "the first save creates the external id that the role's trust policy requires."
        ),
    )
    tag_filter = forms.Field(
        required=False,
        widget=PairsWidget(),
        help_text=(
            "The hub discovers only runtimes with all of these AWS tags. Without a filter it discovers every runtime. "
            "A row takes one key and its value. The key's box also takes a line of pairs: env:production, team:platform"
        ),
    )
    sync_after_save = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Saving the federation also starts a sync in the background.",
    )
    refusal: str = ""
    may_end_review: bool = True

    class Meta:
        model = Federation
        fields = ["display_name", "description", "provider_type", "sync_interval_minutes", "change_policy"]
        labels = {"provider_type": "Provider", "sync_interval_minutes": "Interval in minutes"}
        help_texts = {
            "sync_interval_minutes": (
                f"The hub syncs the federation at this interval, {SHORTEST_INTERVAL_MINUTES} minutes or more. "
                "Without an interval it syncs only when staff or a program asks."
            ),
            "change_policy": (
                "Flow: a sync applies every change. Review: a sync with a breaking or risky change is held as a whole, "
                "and its plan waits until staff apply or dismiss it. Only an owner may change review to flow."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored_tags: list[str] = [] if self.instance._state.adding else self.instance.tags
        config = self.instance.provider_config
        self.stored_filter: dict[str, str] = config.get("resourceTagsFilter") or {}
        stored = {
            "tags": self.stored_tags,
            "region": config.get("region", ""),
            "role_arn": config.get("assumeRoleArn", ""),
            "tag_filter": list(self.stored_filter.items()),
        }
        self.initial = {**stored, **self.initial}

    def clean_display_name(self) -> str:
        """Refuse a name that is only white space."""
        name = str(self.cleaned_data["display_name"])
        if not name.strip():
            raise ValidationError("Type a name that staff recognize.")
        return name

    def clean_tags(self) -> list[str]:
        """Return the tags in the rows of the tags input."""
        tags = read_tags(self.cleaned_data["tags"], stored=self.stored_tags)
        too_long = [tag for tag in tags if len(tag) > MAXIMUM_TAG_LENGTH]
        if too_long:
            raise ValidationError(f"A tag has at most {MAXIMUM_TAG_LENGTH} characters. Too long: {too_long[0][:40]}…")
        return tags

    def clean_tag_filter(self) -> dict[str, str]:
        """Return the key and value pairs in the rows of the tag filter input."""
        return read_pairs(self.cleaned_data["tag_filter"], stored=self.stored_filter)

    def clean_sync_interval_minutes(self) -> int | None:
        """Refuse an interval so short that the hub would sync without a pause, or longer than a year."""
        minutes: int | None = self.cleaned_data["sync_interval_minutes"]
        if minutes is not None and not SHORTEST_INTERVAL_MINUTES <= minutes <= LONGEST_INTERVAL_MINUTES:
            raise ValidationError(
                f"Use {SHORTEST_INTERVAL_MINUTES} to {LONGEST_INTERVAL_MINUTES:,} minutes, or leave the interval empty."
            )
        return minutes

    def clean_change_policy(self) -> ChangePolicy:
        """Refuse the end of the reviews by a user who is not an owner."""
        policy = ChangePolicy(self.cleaned_data["change_policy"])
        stored = self.initial.get("change_policy")
        if policy == ChangePolicy.FLOW and stored == ChangePolicy.REVIEW and not self.may_end_review:
            raise ValidationError("Only an owner of the federation may change review to flow.")
        return policy

    def clean(self) -> dict[str, Any]:
        """Let the provider check each key of its configuration alone, so that an error stands beside its field."""
        cleaned = super().clean() or self.cleaned_data
        if self.refusal:
            self.add_error(None, self.refusal)
        provider_type = cleaned.get("provider_type") or self.instance.provider_type
        config = self._typed_config()
        for key, value in config.items():
            self._check(provider_type, {key: value}, PROVIDER_FIELDS[key])
        if not config:
            self._check(provider_type, {}, "region")
        if not self.errors:
            cleaned["provider_config"] = provider_for(provider_type).normalize_config(config)
            if cleaned["sync_after_save"] or not self.instance._state.adding:
                self._check_complete(provider_type, cleaned["provider_config"])
        return cleaned

    def _typed_config(self) -> JsonObject:
        typed = {key: self.cleaned_data.get(field) for key, field in PROVIDER_FIELDS.items()}
        return {key: value for key, value in typed.items() if value}

    def _check(self, provider_type: str, config: JsonObject, field: str) -> None:
        try:
            provider_for(provider_type).normalize_config(config)
        except ProviderNotImplementedError as error:
            self.add_error("provider_type" if "provider_type" in self.fields else None, error.message)
        except ProviderError as error:
            self.add_error(field, error.message)

    def _check_complete(self, provider_type: str, config: JsonObject) -> None:
        try:
            provider_for(provider_type).check_complete(config)
        except ProviderError as error:
            missing = [PROVIDER_FIELDS[key] for key in ("region", "assumeRoleArn") if not config.get(key)]
            for field in missing or ["region"]:
                self.add_error(field, error.message)


class SyncForm(BaseDialogForm):
    """The dialog that asks for an optional reason before a sync starts."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "New runtimes were deployed"}),
        help_text="Optional. The job keeps the reason.",
    )


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
