"""The pages of a sign-in: the log-in page, the way to a provider and back, and the second factor."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.people import accounts, provider_client
from core.people.claims import Person, read_person
from core.people.forms import CodeForm
from core.people.marks import PROVIDER, Stage, has_recent_proof, new_proof, stage_of, unfinished_person
from core.people.models import FactorKind
from core.people.passkeys import begin_proof
from core.people.provider_client import Returned, SignInRefusedError
from core.people.providers import SignInProvider, sign_in_providers
from core.people.sessions import IS_PROVED_TWICE, PROVED_AT, WAY
from core.people.views.shared import next_url, proves_second_factor, safe_url, show, with_next

BACKEND = "core.signin.backends.LimitedModelBackend"
"""The backend that finds the user of a session, whichever way the user signed in."""

SIGN_IN, CONFIRM, LINK = "sign-in", "confirm", "link"


@never_cache
def log_in(request: HttpRequest) -> HttpResponse:
    """Show and process the admin's log-in page; a person whose sign-in is unfinished goes on with the next step."""
    person = unfinished_person(request)
    if person is not None and request.method == "GET":
        return _next_step(request, person, next_url(request, person))
    return admin.site.login(request, extra_context=_doors(request))


class ApiLogInView(LoginView):
    """The log-in page of the browsable API, for people who need no admin."""

    template_name = "rest_framework/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | _doors(self.request)

    def get_success_url(self) -> str:
        url = super().get_success_url()
        user = self.request.user
        is_done = isinstance(user, User) and stage_of(self.request, user) == Stage.FULL
        return url if is_done else with_next("admin:login", url)


@require_GET
@never_cache
def go_to_provider(request: HttpRequest, name: str) -> HttpResponse:
    """Send the person to a provider, to sign in, to prove again who they are, or to link an account there."""
    provider = _provider_or_404(name)
    purpose = request.GET.get("purpose", SIGN_IN)
    if purpose not in (SIGN_IN, CONFIRM, LINK) or (purpose != SIGN_IN and not request.user.is_authenticated):
        raise Http404
    if purpose == LINK and not constant_time_compare(request.GET.get("token", ""), link_token(request)):
        # Another site could let the person sign in at the provider as another person, and link that account.
        raise Http404
    back = safe_url(request, request.GET.get("next", ""))
    try:
        url = provider_client.begin(request, provider, purpose=purpose, next_url=back)
    except SignInRefusedError as exc:
        return _refuse(request, exc)
    return HttpResponseRedirect(url)


@require_GET
@never_cache
def come_back(request: HttpRequest, name: str) -> HttpResponse:
    """Process a provider's callback."""
    provider = _provider_or_404(name)
    try:
        returned = provider_client.finish(request, provider)
        person = read_person(provider, returned.claims)
        if returned.purpose == SIGN_IN:
            return _sign_in(request, provider, person, returned)
        return _go_on(request, person, returned)
    except SignInRefusedError as exc:
        return _refuse(request, exc)


@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_post_parameters()
@csrf_protect
def give_second_factor(request: HttpRequest) -> HttpResponse:
    """Ask the person of an unfinished sign-in for a code or a passkey, and finish the sign-in."""
    person = unfinished_person(request)
    if person is None or stage_of(request, person) != Stage.SECOND:
        return HttpResponseRedirect(with_next("admin:login", next_url(request)))
    error = ""
    if request.method == "POST":
        if proves_second_factor(request, person):
            # A key that someone saw before the second factor opens nothing after it.
            request.session.cycle_key()
            new_proof(request, person)
            return HttpResponseRedirect(next_url(request, person))
        error = "This code or passkey is not right, or the code was used already. Try the next code."
    context = {"error": error, "next": next_url(request, person), **factors_context(request, person)}
    return show(request, "people/second_factor.html", "Second factor", context)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session at any stage; the admin's own page refuses people whose sign-in is unfinished."""
    logout(request)
    return HttpResponseRedirect(reverse("admin:login"))


def link_token(request: HttpRequest) -> str:
    """Return the token that shows that the person pressed the link on a page of this session."""
    return salted_hmac("core.people.link", str(request.session.session_key), algorithm="sha256").hexdigest()


def factors_context(request: HttpRequest, person: User) -> dict[str, Any]:
    """Return what the forms for a second factor show."""
    kinds = set(person.second_factors.values_list("kind", flat=True))
    options = begin_proof(request, person) if FactorKind.PASSKEY in kinds else ""
    return {
        "person": person,
        "code_form": CodeForm(),
        "has_codes": bool(kinds),
        "passkey_options": options,
        # One button of a page is the usual one.
        "code_variant": "default" if options else "primary",
        "password_variant": "default" if kinds else "primary",
    }


def _doors(request: HttpRequest) -> dict[str, Any]:
    return {
        "providers": list(sign_in_providers().values()),
        "has_password_login": settings.FEDHUB_PASSWORD_LOGIN,
        "next_url": safe_url(request, request.GET.get("next", "")),
    }


def _sign_in(request: HttpRequest, provider: SignInProvider, person: Person, returned: Returned) -> HttpResponse:
    user = accounts.sign_in(provider, person)
    request.__dict__[WAY] = f"{PROVIDER}{provider.name}"
    request.__dict__[IS_PROVED_TWICE] = person.has_second_factor
    if isinstance(auth_time := returned.claims.get("auth_time"), int | float):
        # The provider may have asked hours ago, and let the person pass since.
        request.__dict__[PROVED_AT] = float(auth_time)
    login(request, user, backend=BACKEND)
    url = returned.next_url or reverse("admin:index" if user.is_staff else "api")
    return HttpResponseRedirect(url) if stage_of(request, user) == Stage.FULL else _next_step(request, user, url)


def _go_on(request: HttpRequest, person: Person, returned: Returned) -> HttpResponse:
    user = User.objects.filter(pk=request.user.pk or 0).first()
    if user is None:
        raise SignInRefusedError("Your session has ended. Sign in again.")
    if returned.purpose == LINK:
        if not has_recent_proof(request):
            raise SignInRefusedError("Confirm that it is you, then link the account again.")
        accounts.link(user, issuer=person.issuer, subject=person.subject)
        messages.success(request, "The account is linked. You can sign in with it from now on.")
    elif not accounts.belongs_to(user, person):
        raise SignInRefusedError("The provider confirmed another person than you.")
    else:
        new_proof(request, user)
    return HttpResponseRedirect(returned.next_url or reverse("sign-in-security"))


def _next_step(request: HttpRequest, user: User, url: str) -> HttpResponse:
    is_second = stage_of(request, user) == Stage.SECOND
    return HttpResponseRedirect(with_next("sign-in-second-factor" if is_second else "sign-in-set-up", url))


def _refuse(request: HttpRequest, refusal: SignInRefusedError) -> HttpResponse:
    messages.error(request, refusal.message)
    is_signed_in = request.user.is_authenticated
    return HttpResponseRedirect(reverse("sign-in-security" if is_signed_in else "admin:login"))


def _provider_or_404(name: str) -> SignInProvider:
    provider = sign_in_providers().get(name)
    if provider is None:
        raise Http404
    return provider
