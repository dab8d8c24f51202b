"""The pages on which people see and change how they sign in: second factors, recovery codes, sessions, providers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.admin.cells import time_since
from core.admin.shown_once import answer_once, is_to_show, show_once
from core.people import ciphers, codes, passkeys
from core.people.forms import AppForm, NameForm
from core.people.marks import Stage, new_proof, stage_of
from core.people.models import RecoveryCode, SecondFactor, SignInIdentity, UserSession
from core.people.providers import SignInProvider, sign_in_providers
from core.people.rules import has_second_factor, must_have_second_factor
from core.people.sessions import end_sessions, sessions_of
from core.people.views.shared import for_person, next_url, show
from core.people.views.sign_in import link_token

APP_KEY = "new_app_key"
MAX_FACTORS = 10
MAX_SHOWN = 50
CODES_LEFT = 3


@require_GET
@for_person
def security(request: HttpRequest, person: User) -> HttpResponse:
    """Show the person's second factors, linked providers and sessions."""
    if stage_of(request, person) != Stage.FULL:
        return HttpResponseRedirect(reverse("sign-in-set-up"))
    factors = list(SecondFactor.objects.filter(user=person).order_by("created_at"))
    left = RecoveryCode.objects.filter(user=person, used_at__isnull=True).count()
    context = {
        "factors": [(factor, time_since(factor.used_at)) for factor in factors],
        "must_have": must_have_second_factor(person),
        "may_add_passkey": passkeys.may_use_passkeys(),
        "codes_left": left,
        "few_codes": left <= CODES_LEFT,
        "providers": list(_shown_providers(person)),
        "sessions": [
            (row, time_since(row.started_at), time_since(row.seen_at)) for row in sessions_of(person)[:MAX_SHOWN]
        ],
        "link_token": link_token(request),
        "own_key": request.session.session_key,
    }
    return show(request, "people/security.html", "Sign-in and security", context)


@require_GET
@for_person
def set_up(request: HttpRequest, person: User) -> HttpResponse:
    """Tell a person who must have a second factor how to set one up."""
    context = {"next": next_url(request, person), "may_add_passkey": passkeys.may_use_passkeys(), "person": person}
    return show(request, "people/set_up.html", "Set up a second factor", context)


@for_person
def add_app(request: HttpRequest, person: User) -> HttpResponse:
    """Show the key of a new authenticator app, and store the app once it gives a right code."""
    kept = request.session.get(APP_KEY)
    key = ciphers.decrypt(kept) if kept else codes.new_key()
    error = ""
    if request.method == "POST" and kept:
        if _has_room(person) and codes.add_app(person, key, name=_name(request, "App"), code=_code(request)):
            del request.session[APP_KEY]
            return _added(request, person)
        error = "This code is not right. Check the clock of your device, and type the code that the app shows now."
    if not kept:
        request.session[APP_KEY] = ciphers.encrypt(key)
    context = {
        "error": error,
        "app_form": AppForm(),
        "back_url": _back(request, person),
        "key": " ".join(key[start : start + 4] for start in range(0, len(key), 4)),
        "qr_code": codes.qr_code(codes.key_address(key, person)),
        "next": next_url(request, person),
    }
    return show(request, "people/add_app.html", "Add an authenticator app", context)


@for_person
def add_passkey(request: HttpRequest, person: User) -> HttpResponse:
    """Ask the browser for a new passkey, and store it."""
    if not passkeys.may_use_passkeys():
        messages.error(request, "Passkeys need a hub with a name and https.")
        return HttpResponseRedirect(reverse("sign-in-security"))
    error = ""
    if request.method == "POST":
        answer = request.POST.get("passkey", "")
        if _has_room(person) and passkeys.register(request, person, name=_name(request, "Passkey"), answer=answer):
            return _added(request, person)
        error = "The hub could not store this passkey. Try again."
    options = passkeys.begin_registration(request, person)
    context = {
        "error": error,
        "passkey_options": options,
        "name_form": NameForm(),
        "back_url": _back(request, person),
        "next": next_url(request, person),
    }
    return show(request, "people/add_passkey.html", "Add a passkey", context)


@require_http_methods(["GET", "POST"])
@for_person
def new_recovery_codes(request: HttpRequest, person: User) -> HttpResponse:
    """Replace the recovery codes, and show the new ones once."""
    if not has_second_factor(person):
        return HttpResponseRedirect(reverse("sign-in-set-up"))
    if request.method == "POST":
        return _make_codes(request, person, reverse("sign-in-security"))
    if not is_to_show(request):
        return HttpResponseRedirect(reverse("sign-in-security"))
    return answer_once(request, reverse("sign-in-security"), lambda values: _show_codes(request, values))


@require_POST
@for_person
def remove_factor(request: HttpRequest, person: User, pk: int) -> HttpResponse:
    """Remove a second factor, except the last one of a person who must have one."""
    factor = get_object_or_404(SecondFactor, pk=pk, user=person)
    if must_have_second_factor(person) and SecondFactor.objects.filter(user=person).count() == 1:
        messages.error(request, "Your role needs a second factor. Add another one before you remove this one.")
    else:
        factor.delete()
        if not has_second_factor(person):
            RecoveryCode.objects.filter(user=person).delete()
        messages.success(request, f"{factor} is removed.")
    return HttpResponseRedirect(reverse("sign-in-security"))


@require_POST
@for_person
def end_session(request: HttpRequest, person: User, pk: int) -> HttpResponse:
    """End one session of the person."""
    end_sessions([get_object_or_404(UserSession, pk=pk, user=person)])
    messages.success(request, "The session is ended.")
    return HttpResponseRedirect(reverse("sign-in-security"))


@require_POST
@for_person
def end_other_sessions(request: HttpRequest, person: User) -> HttpResponse:
    """End all sessions of the person but this one."""
    rows = UserSession.objects.filter(user=person).exclude(session_key=request.session.session_key)
    count = end_sessions(rows)
    messages.success(request, f"Other sessions ended: {count}.")
    return HttpResponseRedirect(reverse("sign-in-security"))


def _shown_providers(person: User) -> Iterator[tuple[SignInProvider, SignInIdentity | None, str]]:
    """Yield each provider with the person's account there and the time since its last use."""
    linked = {row.issuer: row for row in SignInIdentity.objects.filter(user=person)}
    for provider in sign_in_providers().values():
        identity = linked.get(provider.issuer)
        yield provider, identity, time_since(identity.used_at if identity else None)


def _added(request: HttpRequest, person: User) -> HttpResponse:
    """Go on after a new second factor: the first one brings recovery codes, and finishes the sign-in."""
    is_first = not RecoveryCode.objects.filter(user=person).exists()
    new_proof(request, person)
    messages.success(request, "The second factor is set up.")
    if is_first:
        return _make_codes(request, person, next_url(request, person))
    return HttpResponseRedirect(reverse("sign-in-security"))


def _make_codes(request: HttpRequest, person: User, back: str) -> HttpResponse:
    made = " ".join(codes.make_recovery_codes(person))
    return show_once(request, {"codes": made, "next": back}, reverse("sign-in-recovery-codes"))


def _show_codes(request: HttpRequest, values: dict[str, str]) -> HttpResponse:
    context: dict[str, Any] = {"codes": values["codes"].split(), "next": values["next"]}
    return show(request, "people/recovery_codes.html", "Your recovery codes", context)


def _back(request: HttpRequest, person: User) -> str:
    return reverse("sign-in-security" if stage_of(request, person) == Stage.FULL else "sign-in-set-up")


def _has_room(person: User) -> bool:
    return SecondFactor.objects.filter(user=person).count() < MAX_FACTORS


def _name(request: HttpRequest, default: str) -> str:
    return request.POST.get("name", "").strip()[:100] or default


def _code(request: HttpRequest) -> str:
    return request.POST.get("code", "")[:100]
