"""The accounts of people who come back from a provider: found by issuer and subject, or made where a rule says so."""

from __future__ import annotations

import logging

from django.contrib.auth.models import Group, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError
from django.utils import timezone

from core.people.claims import Person
from core.people.models import SignInIdentity
from core.people.provider_client import SignInRefusedError
from core.people.providers import SignInProvider
from core.store.unit_of_work import retried, unit_of_work

logger = logging.getLogger(__name__)


def sign_in(provider: SignInProvider, person: Person) -> User:
    """Return the user whom the person signs in as, with the groups of the claims; raise SignInRefusedError."""
    identity = _identity_of(person)
    if identity is None:
        identity = _make_account(provider, person)
    user = identity.user
    if not user.is_active:
        raise SignInRefusedError("Your account on this hub is not active. Ask an administrator of the hub.")
    if identity.made_account:
        _copy_person(user, provider, person)
    apply_groups(user, provider, person)
    SignInIdentity.objects.filter(pk=identity.pk).update(used_at=timezone.now())
    return user


def link(user: User, *, issuer: str, subject: str) -> SignInIdentity:
    """Let the account at a provider sign in as the user; raise SignInRefusedError if it signs in as another user."""
    identity, _ = SignInIdentity.objects.get_or_create(issuer=issuer, subject=subject, defaults={"user": user})
    if identity.user_id != user.pk:
        raise SignInRefusedError("This account of the provider already belongs to another user of the hub.")
    return identity


def belongs_to(user: User, person: Person) -> bool:
    """Tell whether the person of the claims is the user."""
    return SignInIdentity.objects.filter(user=user, issuer=person.issuer, subject=person.subject).exists()


def apply_groups(user: User, provider: SignInProvider, person: Person) -> None:
    """Give the user the groups of the claims, and take away the other groups of the provider's map.

    Groups that the map does not name stay as staff gave them.
    """
    mapped = {group for _, group in provider.groups}
    if not mapped:
        return
    held = set(user.groups.filter(name__in=mapped).values_list("name", flat=True))
    if lost := held - person.groups:
        user.groups.remove(*Group.objects.filter(name__in=lost))
    if gained := person.groups - held:
        groups = list(Group.objects.filter(name__in=gained))
        user.groups.add(*groups)
        if missing := gained - {group.name for group in groups}:
            logger.warning("The provider %s maps to missing groups: %s", provider.name, ", ".join(sorted(missing)))


def _identity_of(person: Person) -> SignInIdentity | None:
    rows = SignInIdentity.objects.select_related("user")
    return rows.filter(issuer=person.issuer, subject=person.subject).first()


def _make_account(provider: SignInProvider, person: Person) -> SignInIdentity:
    if not person.may_get_account:
        logger.info("Refused an unknown person of %s: subject %s", provider.name, person.subject)
        raise SignInRefusedError(
            f"Your account at {provider.title} is not known here. Ask an administrator of this hub to link it: its id "
            f"is {person.subject}."
        )
    _check_name(person)
    if person.email and User.objects.filter(email__iexact=person.email).exists():
        # Two accounts with one address look like one person; an administrator decides.
        raise SignInRefusedError(
            f"An account with the e-mail address {person.email} exists already. Ask an administrator of this hub to "
            f"link it with your account at {provider.title}: its id is {person.subject}."
        )
    try:
        return _store_account(provider, person)
    except IntegrityError as exc:
        # A sign-in at the same time made the account, or took the name.
        identity = _identity_of(person)
        if identity is None:
            raise _name_is_taken(person) from exc
        return identity


@retried
def _store_account(provider: SignInProvider, person: Person) -> SignInIdentity:
    with unit_of_work(with_accounts=True):
        user = User(username=person.username, is_staff=person.is_staff)
        user.set_unusable_password()
        _set_names(user, person)
        user.save()
        logger.info("Made the account %s at its first sign-in at %s", user.username, provider.name)
        return SignInIdentity.objects.create(user=user, issuer=person.issuer, subject=person.subject, made_account=True)


def _copy_person(user: User, provider: SignInProvider, person: Person) -> None:
    """Renew the names of an account that a provider made, and whether it is staff if the setting has a rule."""
    _set_names(user, person)
    if provider.staff_for and not user.is_superuser:
        user.is_staff = person.is_staff
    user.save(update_fields=["first_name", "last_name", "email", "is_staff"])


def _set_names(user: User, person: Person) -> None:
    user.first_name, user.last_name = person.first_name, person.last_name
    try:
        validate_email(person.email)
    except ValidationError:
        return
    user.email = person.email


def _check_name(person: Person) -> None:
    try:
        UnicodeUsernameValidator()(person.username)
    except ValidationError as exc:
        raise SignInRefusedError(
            "The provider sends no user name that this hub can use. Ask an administrator."
        ) from exc
    if User.objects.filter(username__iexact=person.username).exists():
        raise _name_is_taken(person)


def _name_is_taken(person: Person) -> SignInRefusedError:
    # The name does not prove that the person is the user of that name.
    return SignInRefusedError(
        f"The user name {person.username} is taken here. If the account is yours, ask an administrator of this hub to "
        f"link it: your id at the provider is {person.subject}."
    )
