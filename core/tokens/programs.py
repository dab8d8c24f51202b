"""The programs that may request tokens: the kinds of programs, their secrets, and the scopes that each may request."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import (
    AbstractApplication,
    get_access_token_model,
    get_application_model,
    get_refresh_token_model,
)
from oauth2_provider.settings import oauth2_settings

from core.errors import ConflictError
from core.programs.models import ProgramScopes
from core.store.unit_of_work import retried, unit_of_work


@dataclass(frozen=True, slots=True)
class ProgramKind:
    """A kind of program: its words for people, and the two columns of the toolkit's row that make it."""

    key: str
    words: str
    client_type: str
    grant: str


KINDS = (
    ProgramKind(
        "machine",
        "A script or service without people. It acts for its owner, by an id and a secret.",
        AbstractApplication.CLIENT_CONFIDENTIAL,
        AbstractApplication.GRANT_CLIENT_CREDENTIALS,
    ),
    ProgramKind(
        "web",
        "A web application that people sign in with. Its server keeps a secret.",
        AbstractApplication.CLIENT_CONFIDENTIAL,
        AbstractApplication.GRANT_AUTHORIZATION_CODE,
    ),
    ProgramKind(
        "app",
        "A program on people's machines or in their browsers that people sign in with. It can keep no secret.",
        AbstractApplication.CLIENT_PUBLIC,
        AbstractApplication.GRANT_AUTHORIZATION_CODE,
    ),
)


def kind_of(application: AbstractApplication) -> ProgramKind | None:
    """Return the kind of a program; None for a program of a grant or type that the hub no longer registers."""
    columns = (application.client_type, application.authorization_grant_type)
    return next((kind for kind in KINDS if (kind.client_type, kind.grant) == columns), None)


def scopes_of_program(application: AbstractApplication) -> list[str]:
    """Return the scopes that a program may request, before the roles of the person behind a token cut them."""
    limit = ProgramScopes.objects.filter(application=application).first()
    return [scope for scope in oauth2_settings.SCOPES if limit is None or scope in limit.scopes.split()]


@retried
def limit_scopes(application: AbstractApplication, scopes: Collection[str]) -> None:
    """Let a program request these scopes alone. If it could request another one before, its tokens end."""
    with unit_of_work(with_accounts=True):
        taken = set(scopes_of_program(application)) - set(scopes)
        ProgramScopes.objects.update_or_create(application=application, defaults={"scopes": " ".join(sorted(scopes))})
        if taken:
            end_tokens(application)


def end_tokens(application: AbstractApplication) -> None:
    """End every token of a program; the program has to ask again."""
    get_refresh_token_model().objects.filter(application=application).delete()
    get_access_token_model().objects.filter(application=application).delete()


def rotate_secret(application: AbstractApplication) -> str:
    """Give a program a new secret and return it; the old one is refused from now on, and the tokens stay.

    Raises ConflictError for a program that has no secret.
    """
    if application.client_type != AbstractApplication.CLIENT_CONFIDENTIAL:
        raise ConflictError("This program has no secret: it cannot keep one.")
    secret: str = generate_client_secret()
    row = get_application_model().objects.get(pk=application.pk)
    row.client_secret = secret
    row.save(update_fields=["client_secret", "updated"])
    return secret
