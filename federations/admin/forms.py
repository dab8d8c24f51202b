"""The forms of the registry's admin pages. A form turns typed text into a service's arguments or into field errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django import forms
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from core.errors import InvalidRequestError
from federations.admin.checked_inputs import (
    CheckedPairsWidget,
    CheckedTextInput,
    ConnectionWidget,
)
from federations.admin.form_words import in_form_words
from federations.admin.list_fields import TagsWidget, read_pairs, read_tags
from federations.admin.provider_fields import (
    AGENTCORE_ONLY,
    REGISTRY_ONLY,
    RegistryFields,
    fields_of,
    required_of,
)
from federations.admin.region_names import judge_region
from federations.models import ChangePolicy, Federation, ProviderType
from federations.providers.base import ProviderError, ProviderNotImplementedError
from federations.providers.registry import provider_for
from federations.schedules.rule import (
    Schedule,
    check_crontab,
    check_interval,
    check_time_zone,
    length_words,
    time_zones,
)
from federations.schedules.typed import read_interval
from federations.sync.resources import JsonObject

MAXIMUM_TAG_LENGTH = 200

EXTERNAL_ID_SALT = "federations.external-id"
DAY_SECONDS = 24 * 60 * 60


class FederationForm(RegistryFields, forms.ModelForm[Federation]):
    """The fields of a federation that staff may edit. The services save them; this form never writes a row."""

    tags = forms.Field(
        required=False,
        widget=TagsWidget(),
        help_text="Words to find and group federations by. A row takes one tag, or several tags separated by commas.",
    )
    region = forms.CharField(
        required=False,
        max_length=64,
        widget=CheckedTextInput(attrs={"placeholder": "us-east-1"}),
        help_text=(
            "The hub discovers the AgentCore runtimes of this AWS region. Type a part of its name, as in frankfurt, to "
            "pick from the list; a region that AWS opened lately may be typed."
        ),
    )
    role_arn = forms.CharField(
        required=False,
        max_length=2048,
        label="Role ARN",
        widget=CheckedTextInput(
            attrs={"placeholder": "arn:aws:iam::123456789012:role/fedhub-discovery"}  # an example, no account's
        ),
        help_text=(
            "The IAM role that the hub assumes in the account. Its trust policy is below, ready to copy. You can also "
            "save without a role, and add the role later."
        ),
    )
    tag_filter = forms.Field(
        required=False,
        widget=CheckedPairsWidget(),
        help_text=(
            "The hub discovers only runtimes with all of these AWS tags. Without a filter it discovers every runtime. "
            "A row takes one key and its value. The key's box also takes a line of pairs: env:production, team:platform"
        ),
    )
    connection = forms.Field(
        required=False,
        widget=ConnectionWidget(),
        help_text="Asks the account or the registry as typed above, and says what is found. Nothing is saved.",
    )
    sync_interval = forms.CharField(
        required=False,
        max_length=40,
        label="Interval",
        widget=CheckedTextInput(attrs={"placeholder": "6 hours"}),
    )
    sync_after_save = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Saving the federation also starts a sync in the background.",
    )
    change_reason = forms.CharField(
        required=False,
        max_length=500,
        label="Reason for this change",
        widget=UnfoldAdminTextInputWidget(),
        help_text="Optional. The Activity of the federation shows it beside what was changed.",
    )
    sealed_external_id = forms.CharField(required=False, widget=forms.HiddenInput)
    refusal: str = ""
    may_end_review: bool = True
    user_id: str = ""
    typed: Any = None
    """What was typed before, shown again on a page that saves nothing."""

    class Meta:
        model = Federation
        fields = [
            "display_name", "description", "provider_type", "sync_crontab", "sync_time_zone", "change_policy",
        ]  # fmt: skip
        widgets = {
            "sync_crontab": CheckedTextInput(attrs={"placeholder": "0 2 * * *"}),
            "sync_time_zone": CheckedTextInput(attrs={"placeholder": "Europe/Berlin"}),
        }
        labels = {"provider_type": "Provider", "sync_crontab": "Crontab", "sync_time_zone": "Time zone"}
        help_texts = {
            "sync_crontab": (
                "Instead of an interval, the times of the syncs: minute, hour, day of the month, month, day of the "
                "week. 0 2 * * * is every day at 02:00; 30 6 * * 1-5 is Monday to Friday at 06:30. A sync starts "
                "within the minute."
            ),
            "sync_time_zone": (
                "The time zone of the crontab. A time that the clock change skips runs just after it; a time that "
                "comes twice runs once."
            ),
            "change_policy": (
                "Flow: a sync applies every change. Review: a sync with a breaking or risky change is held as a whole, "
                "and its plan waits until staff apply or dismiss it. Only an owner may change review to flow."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if self.typed is not None:
            kwargs["data"] = self.typed
        super().__init__(*args, **kwargs)
        self.warnings: dict[str, str] = {}
        if self.instance._state.adding:
            self._keep_external_id()
            self._mark_fields()
        self._show_schedule()
        if "region" in self.fields:
            self.fields["region"].widget.known = self._known_regions()
        self.stored_tags: list[str] = [] if self.instance._state.adding else self.instance.tags
        config = self.instance.provider_config
        self.stored_filter: dict[str, str] = config.get("resourceTagsFilter") or {}
        stored = {
            "tags": self.stored_tags,
            "region": config.get("region", ""),
            "role_arn": config.get("assumeRoleArn", ""),
            "tag_filter": list(self.stored_filter.items()),
            **self.registry_initial(),
        }
        self.initial = {**stored, **self.initial}

    def _mark_fields(self) -> None:
        """Tell the page's script which fields belong to which provider."""
        if "provider_type" in self.fields:
            of_provider = {ProviderType.AWS_AGENTCORE: AGENTCORE_ONLY, ProviderType.MCP_REGISTRY: REGISTRY_ONLY}
            self.fields["provider_type"].widget.attrs["data-fields"] = json.dumps(of_provider)

    def _show_schedule(self) -> None:
        shortest = length_words(settings.FEDHUB_SHORTEST_SYNC_SECONDS)
        if "sync_interval" not in self.fields:
            return
        self.fields["sync_interval"].help_text = (
            f"The hub syncs the federation at this interval, {shortest} or more, at a moment of its own so that "
            "federations do not start together. Without an interval and a crontab it syncs only when staff or a "
            "program asks."
        )
        self.fields["sync_time_zone"].widget.known = dict.fromkeys(time_zones(), "")
        self.fields["sync_time_zone"].required = False
        seconds = self.instance.sync_interval_seconds
        self.initial.setdefault("sync_interval", length_words(seconds) if seconds else "")
        person_zone = timezone.get_current_timezone_name()
        if self.instance._state.adding and person_zone in time_zones():
            self.initial["sync_time_zone"] = person_zone

    def _keep_external_id(self) -> None:
        """Give a new federation the external id that the page showed, so that its role can be tested before a save."""
        sealed = str(self.data.get("sealed_external_id", "")) if self.is_bound else ""
        if external_id := unseal_external_id(sealed, self.user_id):
            self.instance.external_id = external_id
        self.initial["sealed_external_id"] = seal_external_id(self.instance.external_id, self.user_id)

    def _known_regions(self) -> Mapping[str, str]:
        try:
            return provider_for(self.instance.provider_type).regions()
        except ProviderError:
            return {}

    def region_description(self, name: str) -> str:
        """Return the description of a known region, or an empty text."""
        return self._known_regions().get(name, "")

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

    def clean_region(self) -> str:
        """Refuse a typing error in the name of a region, and warn about a region that the hub does not know."""
        region = str(self.cleaned_data["region"]).strip()
        known = self._known_regions()
        if region and known:
            verdict = judge_region(region, known)
            # A program may have stored a region that the hub does not know; the rest of its form can be saved.
            if verdict.error and region != self.initial.get("region"):
                raise ValidationError(verdict.error)
            if doubt := verdict.error or verdict.warning:
                self.warnings["region"] = doubt
        return region

    def clean_role_arn(self) -> str:
        """Return the ARN without the white space that a copy from elsewhere brings along."""
        return str(self.cleaned_data["role_arn"]).strip()

    def clean_tag_filter(self) -> dict[str, str]:
        """Return the key and value pairs in the rows of the tag filter input."""
        return read_pairs(self.cleaned_data["tag_filter"], stored=self.stored_filter)

    def clean_sync_interval(self) -> int | None:
        """Return the interval in seconds; refuse one so short that the hub would sync without a pause."""
        with _as_field_error():
            seconds = read_interval(str(self.cleaned_data["sync_interval"]))
            check_interval(seconds, shortest_seconds=settings.FEDHUB_SHORTEST_SYNC_SECONDS)
        return seconds

    def clean_sync_crontab(self) -> str:
        """Refuse a crontab that is malformed, never runs, or runs too often."""
        crontab = " ".join(str(self.cleaned_data["sync_crontab"]).split())
        if crontab:
            with _as_field_error():
                check_crontab(crontab, shortest_seconds=settings.FEDHUB_SHORTEST_SYNC_SECONDS)
            if self.cleaned_data.get("sync_interval"):
                raise ValidationError("Use an interval or a crontab, not both.")
        return crontab

    def clean_sync_time_zone(self) -> str:
        """Refuse a name that is not in the tz database; an empty one is UTC."""
        name = str(self.cleaned_data["sync_time_zone"]).strip() or "UTC"
        with _as_field_error():
            check_time_zone(name)
        return name

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
            self.add_error(None, in_form_words(self.refusal))
        provider_type = self.provider_type
        config, fields = self._typed_config(), fields_of(provider_type)
        for key, value in config.items():
            self._check(provider_type, {key: value}, fields[key])
        if not config:
            self._check(provider_type, {}, next(iter(fields.values())))
        if not self.errors:
            crontab = cleaned["sync_crontab"]
            cleaned["schedule"] = Schedule(
                cleaned["sync_interval"], crontab, cleaned["sync_time_zone"] if crontab else "UTC"
            )
            cleaned["provider_config"] = provider_for(provider_type).normalize_config(config)
            if cleaned["sync_after_save"] or not self.instance._state.adding:
                self._check_complete(provider_type, cleaned["provider_config"])
        return cleaned

    def tested_config(self) -> JsonObject | None:
        """Return the typed configuration as it would be stored, or None if one of its own fields has an error."""
        if set(self.errors) & {*fields_of(self.provider_type).values(), "provider_type"}:
            return None
        return provider_for(self.provider_type).normalize_config(self._typed_config())

    @property
    def provider_type(self) -> str:
        """Return the type of the provider: the picked one, or the stored one where it cannot be changed."""
        return str(self.cleaned_data.get("provider_type") or self.instance.provider_type)

    def _typed_config(self) -> JsonObject:
        typed = {key: self.cleaned_data.get(field) for key, field in fields_of(self.provider_type).items()}
        return {key: value for key, value in typed.items() if value}

    def _check(self, provider_type: str, config: JsonObject, field: str) -> None:
        try:
            provider_for(provider_type).normalize_config(config)
        except ProviderNotImplementedError as error:
            self.add_error("provider_type" if "provider_type" in self.fields else None, in_form_words(error.message))
        except ProviderError as error:
            self.add_error(field, in_form_words(error.message))

    def _check_complete(self, provider_type: str, config: JsonObject) -> None:
        try:
            provider_for(provider_type).check_complete(config)
        except ProviderError as error:
            fields, needed = fields_of(provider_type), required_of(provider_type)
            missing = [fields[key] for key in needed if not config.get(key)]
            for field in missing or [fields[needed[0]]]:
                self.add_error(field, in_form_words(error.message))


@contextmanager
def _as_field_error() -> Iterator[None]:
    try:
        yield
    except InvalidRequestError as error:
        raise ValidationError(f"{error.message}.") from error


def seal_external_id(external_id: str, user_id: str) -> str:
    """Return the external id of a new federation, signed for the person whose form shows it."""
    return signing.dumps([external_id, user_id], salt=EXTERNAL_ID_SALT)


def unseal_external_id(sealed: str, user_id: str) -> str:
    """Return the external id that the hub sealed for this person within a day, or an empty text."""
    try:
        external_id, owner = signing.loads(sealed, salt=EXTERNAL_ID_SALT, max_age=DAY_SECONDS)
    except signing.BadSignature:
        return ""
    return str(external_id) if owner == user_id else ""


class SyncForm(BaseDialogForm):
    """The dialog that asks for an optional reason before a sync starts."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "New runtimes were deployed"}),
        help_text="Optional. The job keeps the reason.",
    )
