"""What a person can do about an error, by its status."""

from __future__ import annotations

from dataclasses import dataclass

ADVICE = {
    400: "The message names the member or the parameter that the hub cannot read. Correct it and send it again.",
    401: "Log in, or send a token in the header Authorization: the hub does not know who asks.",
    404: "The address names nothing that exists now. Follow a link from a list above, or look for the id there.",
    409: "Nothing was changed: the present state does not allow this. Wait for what is under way, look at the object "
    "again, then decide anew.",
    411: "Send the body with a Content-Length.",
    413: "The body is too large. Send less in one request.",
    415: "Send the body as application/json, without a Content-Encoding.",
    422: "The message names the field that the hub cannot read. Correct it and send it again.",
    429: "Too many requests of this kind are under way or came lately. Wait, then send it again.",
    500: "The hub failed. Nothing in the request is wrong: tell an administrator the time and the address.",
    501: "The hub does not do this yet. Choose another provider.",
    502: "A service that the hub needs refused or failed; the message is that service's own. Nothing was changed here.",
    503: "The hub is busy. Wait a little, then send it again.",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about an error. `wants_login` tells whether a log-in may help."""

    text: str
    wants_login: bool = False


def advice(status: int, *, scope: str | None, scopes: frozenset[str], methods: str, wait: str = "") -> Advice | None:
    """Return what to do about an answer, or None for an answer that is not an error.

    `scope` is the scope that the request needs, `scopes` those of the caller, `methods` the methods of the address,
    `wait` the seconds of a Retry-After.
    """
    if status < 400:
        return None
    if status == 403 and scope and scope not in scopes:
        return Advice(f"You need the scope {scope}, which your roles or your token do not give. An administrator can.")
    if status == 403:
        return Advice(
            "Your roles do not allow this on this object. Its owner or an administrator can give you access; "
            "if a form was open for long, reload the page first."
        )
    if status == 405:
        return Advice(f"This address takes {methods}. Actions has its form, or the reason why there is none.")
    text = ADVICE.get(status, "Correct the request and send it again.")
    return Advice(f"{text} Wait {wait} s." if wait else text, wants_login=status == 401)
