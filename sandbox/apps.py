"""Registers the sandbox with Django, only for its management command."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """The Django app of the sandbox, without models."""

    name = "sandbox"
    label = "sandbox"
    verbose_name = "AgentCore sandbox"
