"""What the pages of signing in share: where to go next, the frame of a page, and who may open it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from core.people.codes import accept_code
from core.people.kept_forms import keep_form
from core.people.marks import Stage, has_recent_proof, person_of, stage_of
from core.people.passkeys import accept_proof
from core.signin.attempts import Realm, address_of, attempt

View = Callable[..., HttpResponse]
START_PAGES = {True: "admin:index", False: "api"}


def next_url(request: HttpRequest, user: User | None = None) -> str:
    """Return the address in the parameter `next` if it is one of the hub, otherwise the start page of the person."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return safe_url(request, wanted) or start_url(user)


def start_url(user: User | None) -> str:
    """Return the address of the start page of the person: the dashboard, or for those who are not staff the API."""
    return reverse(START_PAGES[bool(user is None or user.is_staff)])


def safe_url(request: HttpRequest, url: str) -> str:
    """Return `url` if it is an address of the hub, otherwise an empty text."""
    is_safe = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if is_safe else ""


def with_next(name: str, url: str, **further: str) -> str:
    """Return the address of a page with the parameter `next`, and further ones."""
    return f"{reverse(name)}?{urlencode({'next': url, **further})}"


def show(request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
    """Return a page in the frame of the admin."""
    return render(request, template, admin.site.each_context(request) | {"title": title} | context)


def for_person(view: View) -> View:
    """Return the view for a signed-in person with a recent proof, or for a person who must set a second factor up.

    Another person is led to the page that is missing: the log-in page, or the question for a new proof.
    """

    @wraps(view)
    def answer(request: HttpRequest, person: User, *args: Any, **kwargs: Any) -> HttpResponse:
        if stage_of(request, person) == Stage.FULL and not has_recent_proof(request):
            return ask_again(request)
        return view(request, person, *args, **kwargs)

    return for_reader(answer)


def for_reader(view: View) -> View:
    """Return the view as `for_person` does, but without a question for a new proof: its page only shows something."""

    @never_cache
    @sensitive_post_parameters()
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        person = person_of(request)
        if person is None or stage_of(request, person) == Stage.SECOND:
            return HttpResponseRedirect(with_next("admin:login", request.get_full_path()))
        return view(request, person, *args, **kwargs)

    return answer


def ask_again(request: HttpRequest) -> HttpResponse:
    """Lead to the question for a new proof, and from there back to the page; what was posted is not done.

    The way back from a form, and from a dialog, leads over the page that says that it is not done yet and offers to
    send it. A form may be sent to another address than its page's, and "back" from there is the page that sent it.
    """
    back, page = request.get_full_path(), safe_url(request, request.headers.get("Referer", ""))
    if request.method != "GET":
        back = page = page or back
        messages.warning(request, "Nothing was changed yet. Confirm that it is you, then send the form again.")
        keep_form(request, back)
        back = reverse("sign-in-send-form")
    url = with_next("sign-in-confirm", back, **({"leave": page} if page else {}))
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def proves_second_factor(request: HttpRequest, person: User) -> bool:
    """Tell whether the posted code or passkey is right; raise TooManyFailuresError after too many wrong ones."""
    with attempt(Realm.SECOND_FACTOR, person.get_username(), address_of(request)) as tried:
        if answer := request.POST.get("passkey"):
            tried.is_right = accept_proof(request, person, answer)
        else:
            tried.is_right = accept_code(person, request.POST.get("code", "")[:100])
        return tried.is_right
