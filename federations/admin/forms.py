"""The forms of the staff's pages: what is typed becomes the arguments of a service, or an error beside its field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from unfold.forms import BaseDialogForm, PaginationInlineFormSet
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from federations.models import Federation, FederationGrant
from federations.providers.base import ProviderError, ProviderNotImplementedError
from federations.providers.registry import provider_for
from federations.services.schedule import LONGEST_INTERVAL_MINUTES, SHORTEST_INTERVAL_MINUTES
from federations.sync.resources import JsonObject

MAXIMUM_TAG_LENGTH = 200
LIST_SEPARATORS = ',"\n'
KEY_SEPARATORS = LIST_SEPARATORS + ":"

QUOTED = r'"(?:[^"\\]|\\.)*"'
# An item of a list, or one half of a pair: bare text, or a JSON string where it holds a separator. Possessive, since
# spaces are both around bare text and in it: with backtracking, a thousand of them would take minutes.
WORD = re.compile(rf'\s*+({QUOTED}|[^,\n"]*+)[^\S\n]*+(?:[,\n]|\Z)')
PAIR = re.compile(rf'\s*+({QUOTED}|[^:,\n"]++)\s*+:\s*+({QUOTED}|[^,\n"]*+)[^\S\n]*+(?:[,\n]|\Z)')

PROVIDER_FIELDS = {"region": "region", "assumeRoleArn": "role_arn", "resourceTagsFilter": "tag_filter"}


def parse_words(text: str) -> list[str]:
    """Return the comma-separated items of `text` in order, each once; `"a,b"` in quotes is one item."""
    words: list[str] = []
    for found in _split(WORD, text, "Separate tags with commas, and put one that holds a comma in double quotes"):
        word = _bare(found[1])
        if word and word not in words:
            words.append(word)
    return words


def format_words(words: Iterable[str]) -> str:
    """Return the text that `parse_words` reads as `words`."""
    return ", ".join(_quoted(word, LIST_SEPARATORS) for word in words)


def parse_tag_filter(text: str) -> dict[str, str]:
    """Return the pairs of `env:production, team:platform`; a key that holds a colon is put in double quotes.

    Raises ValidationError naming the pair that is none, and the key that is there twice.
    """
    pairs: dict[str, str] = {}
    for found in _split(PAIR, text, "Write pairs as key:value, separated by commas, for example env:production"):
        key, value = _bare(found[1]), _bare(found[2])
        if not key:
            raise ValidationError("A pair needs a key before its colon, for example env:production.")
        if key in pairs:
            raise ValidationError(f"The key {key} is there twice; a runtime has one value for each key.")
        pairs[key] = value
    return pairs


def format_tag_filter(pairs: Mapping[str, str]) -> str:
    """Return the text that `parse_tag_filter` reads as `pairs`."""
    return ", ".join(
        f"{_quoted(key, KEY_SEPARATORS)}:{_quoted(value, LIST_SEPARATORS)}" for key, value in pairs.items()
    )


def _split(pattern: re.Pattern[str], text: str, advice: str) -> Iterable[re.Match[str]]:
    position, text = 0, text.strip().rstrip(",").strip()
    while position < len(text):
        found = pattern.match(text, position)
        if found is None:
            wrong = re.split(r"[,\n]", text[position:], maxsplit=1)[0].strip()
            raise ValidationError(f"{advice}. This is none: {wrong or text[position:].strip()}")
        yield found
        position = found.end()


def _bare(part: str) -> str:
    if not part.startswith('"'):
        return part.strip()
    try:
        return str(json.loads(part, strict=False))
    except ValueError as exc:
        raise ValidationError(f"This is no well-formed quoted text: {part}") from exc


def _quoted(part: str, separators: str) -> str:
    needs_quotes = not part or part != part.strip() or any(sign in part for sign in separators)
    return json.dumps(part, ensure_ascii=False) if needs_quotes else part


class FederationForm(forms.ModelForm[Federation]):
    """What staff may say about a federation; saving it is the services' work, never this form's."""

    tags = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "production, payments"}),
        help_text="Words to find and group federations by, separated by commas.",
    )
    region = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "us-east-1"}),
        help_text="The AWS region whose AgentCore runtimes are discovered.",
    )
    role_arn = forms.CharField(
        required=False,
        max_length=2048,
        label="Role ARN",
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "arn:aws:iam::123456789012:role/fedhub-discovery"}  # an example, no account's
        ),
        help_text=(
            "The role that the hub assumes in that account. You may save without it first: "
            "the external id that the role must ask for is made on the first save."
        ),
    )
    tag_filter = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "env:production, team:platform"}),
        help_text="Only runtimes that carry all of these AWS tags are discovered. Empty: every runtime.",
    )
    sync_after_save = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Starts a sync in the background as soon as this is saved.",
    )
    refusal: str = ""

    class Meta:
        model = Federation
        fields = ["display_name", "description", "provider_type", "sync_interval_minutes"]
        labels = {"provider_type": "Provider", "sync_interval_minutes": "Interval in minutes"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config = self.instance.provider_config
        stored = {
            "tags": format_words(self.instance.tags) if not self.instance._state.adding else "",
            "region": config.get("region", ""),
            "role_arn": config.get("assumeRoleArn", ""),
            "tag_filter": format_tag_filter(config.get("resourceTagsFilter") or {}),
        }
        self.initial = {**stored, **self.initial}

    def clean_display_name(self) -> str:
        """Refuse a name of white space alone."""
        name = str(self.cleaned_data["display_name"])
        if not name.strip():
            raise ValidationError("Give it a name that people recognize.")
        return name

    def clean_tags(self) -> list[str]:
        """Return the tags as a list."""
        words = parse_words(self.cleaned_data["tags"])
        too_long = [word for word in words if len(word) > MAXIMUM_TAG_LENGTH]
        if too_long:
            raise ValidationError(f"A tag has at most {MAXIMUM_TAG_LENGTH} characters: {too_long[0][:40]}…")
        return words

    def clean_tag_filter(self) -> dict[str, str]:
        """Return the filter as an object."""
        return parse_tag_filter(self.cleaned_data["tag_filter"])

    def clean_sync_interval_minutes(self) -> int | None:
        """Refuse an interval that would never let the hub rest."""
        minutes: int | None = self.cleaned_data["sync_interval_minutes"]
        if minutes is not None and not SHORTEST_INTERVAL_MINUTES <= minutes <= LONGEST_INTERVAL_MINUTES:
            raise ValidationError(
                f"Use {SHORTEST_INTERVAL_MINUTES} to {LONGEST_INTERVAL_MINUTES:,} minutes, or leave it empty."
            )
        return minutes

    def clean(self) -> dict[str, Any]:
        """Ask the provider about its configuration, each key by itself so that its error stands beside its field."""
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
    """What is asked before a sync."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "New runtimes were deployed"}),
        help_text="Optional; it is kept with the job.",
    )


class ReleaseForm(forms.Form):
    """What is asked before a held plan is let through."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Why these deletions are right. It is kept with the job, for those who look later.",
    )


class GrantForm(forms.ModelForm[FederationGrant]):
    """One grant, its holder picked from the hub's users and groups."""

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
            choices.append((current, f"{self.instance.holder_name} (no longer here)"))
        self.fields["holder"].choices = choices  # type: ignore[attr-defined]
        self.fields["holder"].initial = current

    def clean(self) -> dict[str, Any]:
        """Put the picked holder's id and name on the grant."""
        cleaned = super().clean() or self.cleaned_data
        kind, _, holder_id = str(cleaned.get("holder", "")).partition(":")
        self.instance.user_id = holder_id if kind == "user" else ""
        self.instance.group_id = holder_id if kind == "group" else ""
        self.instance.holder_name = self.names.get(cleaned.get("holder", ""), "").removesuffix(" (group)")[:200]
        return cleaned


class GrantFormSet(PaginationInlineFormSet, BaseInlineFormSet):  # type: ignore[type-arg]
    """The grants of one federation: the choices are read once, and a holder has one grant."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """Hand every form the same choices."""
        if not hasattr(self, "_holders"):
            self._holders = holder_choices()
        return {**super().get_form_kwargs(index), "holders": self._holders}

    def clean(self) -> None:
        """Refuse two grants for one holder."""
        super().clean()
        seen: set[str] = set()
        for form in self.forms:
            holder = (getattr(form, "cleaned_data", None) or {}).get("holder")
            if not holder or form in self.deleted_forms:
                continue
            if holder in seen:
                form.add_error("holder", "This holder has a grant already; change that one.")
            seen.add(holder)


HolderChoices = list[tuple[str, list[tuple[str, str]]]]


def holder_choices() -> HolderChoices:
    """Return users and groups as grouped choices, in two queries."""
    users = get_user_model().objects.filter(is_active=True).order_by("username").values_list("pk", "username")
    groups = Group.objects.order_by("name").values_list("pk", "name")
    return [
        ("Users", [(f"user:{key}", name) for key, name in users]),
        ("Groups", [(f"group:{key}", f"{name} (group)") for key, name in groups]),
    ]


def holder_key(grant: FederationGrant) -> str:
    """Return the choice that stands for a grant's holder, empty for a new grant."""
    if grant.user_id:
        return f"user:{grant.user_id}"
    return f"group:{grant.group_id}" if grant.group_id else ""
