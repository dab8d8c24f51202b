"""An attempt to prove a name by a secret: it is refused after too many failures, and counted if it fails."""

from __future__ import annotations

import logging
import math
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from core.errors import TooManyRequestsError
from core.net.addresses import network_of
from core.signin.limits import PER_ADDRESS, PER_KNOWN_ADDRESS, PER_NAME, Limit, read_state, write_state
from core.signin.models import SigninRecord

KNOWN_DAYS = 365
"""An address is known for this long after the last right secret."""

RENEWAL_DAYS = 1
# A compare-and-set fails only if another one has succeeded; more rounds than web threads are not needed.
MAX_ROUNDS = 100

logger = logging.getLogger(__name__)


class TooManyFailuresError(TooManyRequestsError):
    """Raised for an attempt that a limit refuses, whether the secret is right or wrong.

    Further attempts are refused for `retry_after_seconds`; RefuseGuesses turns the error into a 429.
    """

    def __init__(self, seconds: float) -> None:
        self.retry_after_seconds = max(1, math.ceil(seconds))
        super().__init__(f"Too many failed attempts. Try again in {self.retry_after_seconds} seconds.")


class Realm(StrEnum):
    """Whether a name belongs to a user or to a program that has a client secret, and whether a second factor is tried.

    A user and a program of the same name have separate limits, because the realm is a part of the key of a limit. The
    second factor of a user has its own limits too: a right password must not make its guesses cheaper.
    """

    USER = "user"
    PROGRAM = "program"
    SECOND_FACTOR = "second factor"


@dataclass(slots=True)
class Attempt:
    """One attempt to prove a name by a secret; `attempt` yields it to the door that checks the secret.

    `address_key`, `name_key` and `pair_key` are the primary keys of the rows (SigninRecord) that count the failures of
    the address, of the name, and of the name at the address. The door sets `is_right` if the secret is right.
    """

    address_key: str
    name_key: str
    pair_key: str
    is_right: bool = field(default=False, init=False)


@contextmanager
def attempt(realm: Realm, name: str, address: str) -> Iterator[Attempt]:
    """Allow the block to check one secret of `name`; count a failure unless the block sets `is_right`.

    `address` is the REMOTE_ADDR of the request. Raises TooManyFailuresError before the block if a limit is used up,
    and after the block if other attempts have used up a limit while the block ran.
    """
    network = network_of(address)
    plain = unicodedata.normalize("NFKC", name)
    tried = Attempt(
        address_key=_key("address", network),
        name_key=_key("name", realm, plain),
        pair_key=_key("pair", realm, plain, network),
    )
    _refuse_over_limit(tried, address)
    try:
        yield tried
    finally:
        if tried.is_right:
            _remember(tried, _refuse_over_limit(tried, address))
        else:
            _count_failure(tried, address)


def address_of(request: HttpRequest) -> str:
    """Return the address that a request comes from."""
    return str(request.META.get("REMOTE_ADDR", ""))


def _limits_of(tried: Attempt, *, is_known: bool) -> dict[str, Limit]:
    """Return the limits that may refuse the attempt, by the key of their row."""
    if is_known:
        return {tried.pair_key: PER_KNOWN_ADDRESS}
    return {tried.address_key: PER_ADDRESS, tried.name_key: PER_NAME}


def _refuse_over_limit(tried: Attempt, address: str) -> SigninRecord | None:
    """Raise TooManyFailuresError if a limit refuses the attempt.

    Return the row of the name at this address if the address is known for the name, otherwise None.
    """
    keys = (tried.address_key, tried.name_key, tried.pair_key)
    rows = {row.key: row for row in SigninRecord.objects.filter(key__in=keys)}
    now = timezone.now()
    known = rows.get(tried.pair_key)
    if known is not None and not (known.is_known and known.forget_at > now):
        known = None
    limits = _limits_of(tried, is_known=known is not None)
    waits = (
        limit.wait(read_state(rows[key].failures), now.timestamp()) for key, limit in limits.items() if key in rows
    )
    if seconds := max(waits, default=0.0):
        _refuse(seconds, address)
    return known


def _remember(tried: Attempt, known: SigninRecord | None) -> None:
    """Record that the address is known for the name; write the row again only if the last write is a day old."""
    forget_at = timezone.now() + timedelta(days=KNOWN_DAYS)
    if known is not None and known.forget_at > forget_at - timedelta(days=RENEWAL_DAYS):
        return
    SigninRecord.objects.bulk_create(
        [SigninRecord(key=tried.pair_key, is_known=True, forget_at=forget_at)],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["is_known", "forget_at"],
    )


def _count_failure(tried: Attempt, address: str) -> None:
    """Count a failure; raise TooManyFailuresError if a limit of the attempt does not allow it."""
    is_known = SigninRecord.objects.filter(key=tried.pair_key, is_known=True, forget_at__gt=timezone.now()).exists()
    for key, limit in _limits_of(tried, is_known=is_known).items():
        if seconds := _count(key, limit):
            _refuse(seconds, address)
    if is_known:
        # The failure also counts for others at the address, and for the name at other addresses.
        for key, limit in _limits_of(tried, is_known=False).items():
            _count(key, limit)


def _count(key: str, limit: Limit) -> float:
    """Count a failure in the row of a limit; return 0, or the seconds to wait if the limit does not allow it."""
    for _ in range(MAX_ROUNDS):
        now = timezone.now()
        row = SigninRecord.objects.filter(key=key).first()
        if row is None:
            row = SigninRecord(key=key, forget_at=now + timedelta(minutes=1))
            SigninRecord.objects.bulk_create([row], ignore_conflicts=True)
        state = read_state(row.failures)
        if seconds := limit.wait(state, now.timestamp()):
            return seconds
        state = limit.count(state, now.timestamp())
        forget_at = max(row.forget_at, datetime.fromtimestamp(limit.forget_at(state), UTC))
        if SigninRecord.objects.filter(key=key, failures=row.failures).update(
            failures=write_state(state), forget_at=forget_at
        ):
            return 0.0
    return 1.0


def _refuse(seconds: float, address: str) -> None:
    refusal = TooManyFailuresError(seconds)
    logger.warning("Refused an attempt from %s: too many failures", address or "an unknown address")
    raise refusal


def _key(*words: str) -> str:
    return salted_hmac("core.signin", "\n".join(words), algorithm="sha256").hexdigest()
