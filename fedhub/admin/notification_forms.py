"""The form of a notification rule: who is told, of which events, of which federations and peers, and how often."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from django import forms
from django.contrib.auth.models import User
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextInputWidget,
)

from core.notifications.events import all_kinds
from core.notifications.models import Rule, Target
from core.notifications.rules import refusal_of_url
from federations.admin.grants import holder_choices
from federations.services.access import federations_visible_to
from peers.models import Peer

MANAGE = "notifications.change_rule"
"""The permission to make and change every rule, and to let a webhook be told of everything."""
MOST_MINUTES = 1440
WEBHOOK = "webhook"


class RuleForm(forms.ModelForm[Rule]):
    """A rule. A person without the permission makes rules for the own mails alone, and gets no fields of receivers."""

    viewer: User

    to = forms.ChoiceField(
        label="Tell",
        widget=UnfoldAdminSelect2Widget(),
        help_text=(
            "A person and each member of a group get a mail with what that person may see at the time. A webhook gets "
            "everything that this rule names."
        ),
    )
    url = forms.CharField(
        required=False,
        max_length=2000,
        label="Webhook's URL",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://chat.example.com/hooks/fedhub"}),
        help_text=(
            "For a webhook alone. The hub signs each message by the Standard Webhooks specification. You make the "
            "secret in the next step. Private addresses need FEDHUB_ALLOWED_NETWORKS."
        ),
    )
    kinds = forms.MultipleChoiceField(label="Events", widget=UnfoldAdminCheckboxSelectMultipleWidget())
    federations = forms.MultipleChoiceField(
        required=False, widget=UnfoldAdminSelect2MultipleWidget(), help_text="None picked: all federations."
    )
    peers = forms.MultipleChoiceField(
        required=False, widget=UnfoldAdminSelect2MultipleWidget(), help_text="None picked: all peers."
    )
    digest_minutes = forms.IntegerField(
        min_value=0,
        max_value=MOST_MINUTES,
        initial=15,
        label="Minutes between digests",
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="The first event is told at once. What follows within this time comes together in one message.",
    )

    class Meta:
        model = Rule
        fields = ["name", "url", "kinds", "federations", "peers", "digest_minutes"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_manager = self.viewer.has_perm(MANAGE)
        self._choose("kinds", sorted(((kind.key, kind.title) for kind in all_kinds()), key=itemgetter(1)))
        visible = federations_visible_to(self.viewer).order_by("display_name", "pk")
        self._choose("federations", list(visible.values_list("pk", "display_name")))
        peers = Peer.objects.order_by("server_url") if self.viewer.has_perm("peers.view_peer") else Peer.objects.none()
        self._choose("peers", list(peers.values_list("pk", "server_url")))
        if self.is_manager:
            self._choose("to", [(WEBHOOK, "A webhook"), *holder_choices()])
            self.fields["to"].initial = self._receiver()
        else:
            del self.fields["to"], self.fields["url"]

    def clean(self) -> dict[str, Any]:
        """Set the receiver of the rule; refuse a webhook without a URL that the hub would send to."""
        cleaned = super().clean() or self.cleaned_data
        for name in ("federations", "peers"):
            # What this person may not see stays as it was: an empty list would mean all.
            shown = {key for key, _ in self.fields[name].choices}  # type: ignore[attr-defined]
            kept = [key for key in getattr(self.instance, name) or [] if key not in shown]
            cleaned[name] = [*cleaned.get(name, []), *kept]
        if not self.is_manager:
            if self.instance._state.adding:
                self._tell(Target.PERSON, user_id=self.viewer.pk)
            return cleaned
        kind, _, holder_id = str(cleaned.get("to", "")).partition(":")
        if kind == WEBHOOK:
            self._check_url(str(cleaned.get("url", "")))
            self._tell(Target.WEBHOOK)
        elif kind:
            cleaned["url"] = ""
            column = "user_id" if kind == "user" else "group_id"
            self._tell(Target.PERSON if kind == "user" else Target.GROUP, **{column: int(holder_id)})
        return cleaned

    def _check_url(self, url: str) -> None:
        if refusal := "a webhook needs a URL" if not url else refusal_of_url(url):
            self.add_error("url", f"The hub does not send to this URL: {refusal}.")

    def _tell(self, target: Target, *, user_id: int | None = None, group_id: int | None = None) -> None:
        self.instance.target, self.instance.user_id, self.instance.group_id = target, user_id, group_id

    def _choose(self, name: str, choices: Any) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def _receiver(self) -> str:
        rule = self.instance
        if rule._state.adding:
            return f"user:{self.viewer.pk}"
        return f"user:{rule.user_id}" if rule.user_id else f"group:{rule.group_id}" if rule.group_id else WEBHOOK
