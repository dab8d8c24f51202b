"""The page that asks a signed-in person for a new proof before a sensitive step."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from core.people.forms import PasswordForm
from core.people.kept_forms import KeptForm, take_form
from core.people.marks import new_proof
from core.people.models import SignInIdentity
from core.people.providers import sign_in_providers
from core.people.views.shared import for_person, next_url, proves_second_factor, safe_url, show, start_url, with_next
from core.people.views.sign_in import factors_context

PROBLEMS = {True: "This password is not right.", False: "This code or passkey is not right, or the code was used."}


@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_post_parameters()
@csrf_protect
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for a password, a second factor or a new sign-in at a provider; then lead back to the step."""
    if not request.user.is_authenticated:
        return HttpResponseRedirect(with_next("admin:login", next_url(request)))
    person = User.objects.get(pk=request.user.pk)
    error = ""
    if request.method == "POST":
        is_password = "password" in request.POST
        if _proves_password(request, person) if is_password else proves_second_factor(request, person):
            new_proof(request, person)
            return HttpResponseRedirect(next_url(request, person))
        error = PROBLEMS[is_password]
    issuers = set(SignInIdentity.objects.filter(user=person).values_list("issuer", flat=True))
    context = {
        "error": error,
        "next": next_url(request, person),
        # Whoever does not want the step after all goes back to the page that they come from.
        "leave": safe_url(request, request.GET.get("leave", "")) or start_url(person),
        "password_form": PasswordForm(),
        "has_password": settings.FEDHUB_PASSWORD_LOGIN and person.has_usable_password(),
        "providers": [provider for provider in sign_in_providers().values() if provider.issuer in issuers],
        **factors_context(request, person),
    }
    return show(request, "people/confirm.html", "Confirm that it is you", context)


@require_GET
@for_person
def send_form(request: HttpRequest, person: User) -> HttpResponse:
    """Offer to send the form that was kept while the hub asked for a proof."""
    kept = take_form(request)
    if kept is None:
        return HttpResponseRedirect(next_url(request, person))
    title = _step_of(kept) if kept.is_kept else "Fill the form in again"
    return show(request, "people/send_form.html", title, {"kept": kept})


def _step_of(kept: KeptForm) -> str:
    """Return the text of the button that sent the form, which is known of a dialog."""
    try:
        dialog = getattr(resolve(urlsplit(kept.path).path).func, "dialog", None) or {}
    except Resolver404:
        dialog = {}
    return str(dialog.get("form_submit_text") or "Send the form")


def _proves_password(request: HttpRequest, person: User) -> bool:
    found = authenticate(request, username=person.get_username(), password=request.POST["password"])
    return found is not None and found.pk == person.pk
