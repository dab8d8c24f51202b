"""The form of a registered agent, and the meaning of each visibility in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin.refused_forms import ShowsRefusal
from peers.models import RegisteredAgent, Visibility

VISIBILITY_HELP: Mapping[str, str] = {
    Visibility.PUBLIC: "everyone sees it",
    Visibility.UNLISTED: "approved peers see it",
    Visibility.PRIVATE: "other hubs do not see it",
}
VISIBILITY_OF_MANY: Mapping[str, str] = {
    Visibility.PUBLIC: "everyone sees them",
    Visibility.UNLISTED: "approved peers see them",
    Visibility.PRIVATE: "other hubs do not see them",
}


class RegisteredAgentForm(ShowsRefusal, forms.ModelForm[RegisteredAgent]):
    """An agent that staff register by hand."""

    capabilities = forms.CharField(
        required=False,
        label="Skills",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "summarize, translate"}),
        help_text="The names of the agent's skills, separated by commas. Peers see them as its capabilities.",
    )

    class Meta:
        model = RegisteredAgent
        fields = ["agent_id", "name", "description", "server_url", "visibility"]
        labels = {"server_url": "Server URL"}
        help_texts = {
            "agent_id": "Peers dispatch work to this id. It cannot be changed later.",
            "name": "For staff. Peers do not see it.",
            "description": "For staff: what the agent does and who answers for it. Peers do not see it.",
            "server_url": "The URL of the server that runs the agent. Empty: this hub.",
            "visibility": "Public: everyone sees it. Unlisted: approved peers see it. Private: only this hub sees it.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial, "capabilities": ", ".join(map(str, self.instance.capabilities))}

    def clean_capabilities(self) -> list[str]:
        """Return the capabilities as a list."""
        words = [word.strip() for word in str(self.cleaned_data["capabilities"]).split(",")]
        return [word for word in words if word]
