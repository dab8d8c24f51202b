"""The steps that ask for a new proof of the person if the last one is older than 15 minutes: one table of pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from core.people.marks import has_recent_proof
from core.people.views.shared import ask_again

ASK_AT_ONCE: Mapping[str, str] = {
    "peers_peer_approve": "trust a peer",
    "peers_peer_issue_token": "issue a token that acts as a peer",
    "peers_peer_import_peers": "add peers and their keys",
    "peers_peerkey_approve": "trust or rotate a key",
    "auth_user_add": "make an account",
    "auth_user_password_change": "set the password of an account",
    "oauth2_provider_application_add": "make a program that may request tokens",
    "oauth2_provider_application_rotate": "make another secret of a program",
    "notifications_rule_secret": "make the secret of a webhook",
}
"""Pages that serve the sensitive step alone: they ask as soon as they are opened."""

ASK_AT_SENDING: Mapping[str, str] = {
    "peers_peer_add": "add a peer",
    "peers_peer_change": "change what is demanded of a peer",
    "peers_peer_changelist": "decide about several peers",
    "peers_peer_resume": "trust a peer again",
    "peers_peer_repropose": "propose a refused peer again",
    "peers_peer_acknowledge_log": "let the rewritten log of a peer go on",
    "peers_journalentry_start_log": "begin another federation log",
    "peers_peer_outbound_key": "change the key for a peer",
    "peers_peerkey_changelist": "decide about several keys",
    "federations_cardkeypin_add": "pin a key for agent cards",
    "auth_user_change": "change the roles and permissions of an account",
    "auth_user_roles": "give or take a role",
    "auth_user_end_sessions": "end the sessions of another person",
    "auth_user_changelist": "change several accounts",
    "auth_user_delete": "delete an account",
    "auth_group_add": "make a role",
    "auth_group_change": "change a role",
    "auth_group_changelist": "change several roles",
    "auth_group_delete": "delete a role",
    "oauth2_provider_application_change": "change a program that may request tokens",
    "people_usersession_changelist": "end sessions of other people",
    "notifications_rule_add": "send news of the hub to a further receiver",
    "notifications_rule_change": "change who gets news of the hub",
}
"""Pages that people also open to read: they ask when a form is sent."""


class AskBeforeSensitiveSteps:
    """The middleware that asks for a new proof before the pages of the two tables.

    It asks only signed-in people: other requests are refused by the pages themselves, and programs have tokens.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Return the way to the question, or None if the page needs no new proof."""
        match = request.resolver_match
        if match is None or match.app_name != "admin":
            return None
        name = match.url_name or ""
        is_sensitive = name in ASK_AT_ONCE or (name in ASK_AT_SENDING and request.method not in ("GET", "HEAD"))
        if not is_sensitive or not request.user.is_authenticated or has_recent_proof(request):
            return None
        return ask_again(request)
