"""Registers the sandbox with Django, for its management command alone."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The sandbox has no models."""

    name = "sandbox"
    label = "sandbox"
    verbose_name = "AgentCore sandbox"
