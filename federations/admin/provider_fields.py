"""The fields of a federation's form that belong to one provider, and those of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from core.errors import InvalidRequestError
from federations.admin.checked_inputs import CheckedTextInput
from federations.admin.list_fields import TagsWidget, read_tags
from federations.models import Federation, ProviderType
from federations.services.federations import check_secret
from federations.services.provider_secrets import keeps_secret, readable
from federations.sync.resources import JsonObject

# The form field of each key of a `providerConfig`, and the keys that a sync needs.
AGENTCORE_FIELDS = {"region": "region", "assumeRoleArn": "role_arn", "resourceTagsFilter": "tag_filter"}
REGISTRY_FIELDS = {"url": "registry_url", "names": "registry_names", "status": "registry_active"}
REGISTRY_ONLY = (*REGISTRY_FIELDS.values(), "registry_token", "forget_token")
AGENTCORE_ONLY = tuple(AGENTCORE_FIELDS.values())
REQUIRED = {ProviderType.MCP_REGISTRY: ("url",)}
MAX_PATTERN = 200


def fields_of(provider_type: str) -> Mapping[str, str]:
    """Return the form field of each key of the provider's configuration."""
    return REGISTRY_FIELDS if provider_type == ProviderType.MCP_REGISTRY else AGENTCORE_FIELDS


def required_of(provider_type: str) -> tuple[str, ...]:
    """Return the keys of the configuration that a sync needs."""
    return REQUIRED.get(ProviderType(provider_type), ("region", "assumeRoleArn"))


def source_fieldsets(federation: Federation | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the fieldsets of the source: of the provider of a stored federation, or of all providers."""
    cloud = ["region", "role_arn", "tag_filter"]
    # The class is for the page's script: the rows of fields that nobody can edit have none of their own.
    classes = [f"fedhub-of-{ProviderType.AWS_AGENTCORE.value}"]
    trust = ("Trust", {"fields": ["external_id_copy", "trust_policy"], "classes": classes})
    registry = ["registry_url", "registry_token", "registry_names", "registry_active"]
    if federation is None:
        return [("Source", {"fields": ["provider_type", *cloud, *registry, "connection"]}), trust]
    if federation.provider_type == ProviderType.MCP_REGISTRY:
        forget = ["forget_token"] if federation.provider_secret else []
        own = ["provider_type", "registry_url", "registry_token", *forget, *registry[2:], "connection"]
        return [("Registry", {"fields": own})]
    return [("Cloud account", {"fields": ["provider_type", *cloud, "connection"]}), trust]


class PatternWidget(UnfoldAdminTextInputWidget):
    """One row of the patterns."""

    def __init__(self) -> None:
        super().__init__(attrs={"placeholder": "com.example/*", "aria-label": "Pattern"})


class RegistryFields(forms.Form):
    """The fields of a federation that reads an MCP registry."""

    instance: Federation
    registry_url = forms.CharField(
        required=False,
        max_length=1000,
        label="Registry URL",
        widget=CheckedTextInput(attrs={"placeholder": "https://registry.example.org"}),
        help_text="The hub reads /v0.1/servers below this address, by https. Another hub has its registry there too.",
    )
    registry_token = forms.CharField(
        required=False,
        max_length=4000,
        label="Access token",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=(
            "For a registry that asks for one; it is stored encrypted and never shown. Empty keeps the stored token, "
            "which goes if the URL names another server."
        ),
    )
    forget_token = forms.BooleanField(
        required=False,
        label="Forget the stored token",
        widget=UnfoldBooleanSwitchWidget(),
        help_text="The hub reads the registry without a token from now on.",
    )
    registry_names = forms.Field(
        required=False,
        label="Names",
        widget=TagsWidget(PatternWidget),
        help_text="The hub reads the servers whose name matches one of these patterns; without a pattern, all.",
    )
    registry_active = forms.BooleanField(
        required=False,
        label="Only active servers",
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Servers that the registry calls deprecated are then left out.",
    )

    def registry_initial(self) -> dict[str, Any]:
        """Return the stored values of the fields."""
        config = self.instance.provider_config
        return {
            "registry_url": config.get("url", ""),
            "registry_names": config.get("names") or [],
            "registry_active": config.get("status") == "active",
        }

    def clean_registry_url(self) -> str:
        """Return the URL without the white space that a copy from elsewhere brings along."""
        return str(self.cleaned_data["registry_url"]).strip()

    def clean_registry_names(self) -> list[str]:
        """Return the patterns in the rows."""
        names = read_tags(
            self.cleaned_data["registry_names"] or [], stored=self.instance.provider_config.get("names") or []
        )
        if any(len(name) > MAX_PATTERN for name in names):
            raise ValidationError(f"A pattern has at most {MAX_PATTERN} characters.")
        return names

    def clean_registry_active(self) -> str:
        """Return the status that the configuration asks for."""
        return "active" if self.cleaned_data["registry_active"] else ""

    def clean_registry_token(self) -> str:
        """Refuse a token that no header can carry."""
        token = str(self.cleaned_data["registry_token"]).strip()
        try:
            check_secret(ProviderType.MCP_REGISTRY, token)
        except InvalidRequestError as error:
            raise ValidationError("The token has characters that no token has, or too many.") from error
        return token

    def typed_secret(self) -> str | None:
        """Return the secret to store: a new one, an empty text to remove it, or None to keep the stored one."""
        if token := self.cleaned_data.get("registry_token"):
            return str(token)
        return "" if self.cleaned_data.get("forget_token") else None

    def tested_secret(self, config: JsonObject) -> str:
        """Return the secret for a test with `config`: the typed one, or the stored one for the same server."""
        typed = self.typed_secret()
        if typed is not None:
            return typed
        is_same = keeps_secret(self.instance.provider_config, config)
        return readable(self.instance.provider_secret) if is_same else ""
