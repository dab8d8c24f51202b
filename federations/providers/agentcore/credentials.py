"""AWS credentials of one federation: the hub's own, or those of a role that the hub assumes with them.

Each discovery creates its own credentials, so two federations never share any. botocore reads them for every signature.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol, TypedDict, cast

from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserFactory
from botocore.session import Session
from botocore.utils import parse_timestamp

from federations.providers.agentcore.counted_calls import count_calls

# A request that is signed now must arrive before its credentials expire, retries included.
_RENEW_BEFORE = timedelta(minutes=5)
_OWN_LIFETIME = timedelta(minutes=5)

Fetched = tuple[ReadOnlyCredentials, datetime]
Fetch = Callable[[], Fetched]


class _StsClient(Protocol):
    def assume_role(self, **wanted: str) -> _AssumedRole: ...


class _AssumedRole(TypedDict):
    Credentials: _StsCredentials


class _StsCredentials(TypedDict):
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: datetime


class RenewableCredentials(Credentials):
    """Credentials that are fetched on first use, shortly before they expire, and after AWS says that they expired.

    `generation` is the number of fetches so far. If AWS refuses the same credentials in many threads, only one thread
    fetches new ones, because `renew` names the generation that AWS refused.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], datetime]) -> None:
        super().__init__("", "", method="fedhub")
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._fetched: Fetched | None = None
        self.generation = 0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials for a signature now. Raises the errors of AssumeRole."""
        with self._lock:
            if self._fetched is None or self._now() >= self._fetched[1]:
                self._fetched = self._fetch()
                self.generation += 1
            return self._fetched[0]

    def renew(self, generation: int) -> None:
        """Discard the credentials of `generation`. Keep the credentials of a later fetch."""
        with self._lock:
            if self.generation == generation:
                self._fetched = None


def own_credentials() -> RenewableCredentials:
    """Return the hub's own credentials. botocore finds them: environment, files, container, instance."""
    return RenewableCredentials(_fetch_own, _utc_now)


def role_credentials(role_arn: str, region: str, external_id: str, config: Config) -> RenewableCredentials:
    """Return the credentials of a role (AWS STS AssumeRole), which the hub assumes with its own credentials."""
    return RenewableCredentials(lambda: _assume_role(role_arn, region, external_id, config), _utc_now)


def create_session(credentials: RenewableCredentials) -> Session:
    """Create a botocore session that signs with `credentials` only."""
    session = new_session()
    session.register_component("credential_provider", CredentialResolver([_FixedCredentialProvider(credentials)]))
    return session


def new_session() -> Session:
    """Create a botocore session, which reads variables and files again. Large service models are shared."""
    session = Session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    parsers: ResponseParserFactory = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_parse_timestamp)
    count_calls(session)
    return session


def _parse_timestamp(value: Any) -> datetime:
    """Parse an ISO 8601 time as AWS writes it. Leave every other form to botocore, whose parser is much slower.

    Raises ValueError for a text that is not a time.
    """
    # A text without "T" may be the seconds since the epoch.
    if isinstance(value, str) and "T" in value:
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return parse_timestamp(value)


@lru_cache(maxsize=1)
def _loader(data_path: str | None) -> Loader:
    return create_loader(data_path)


class _FixedCredentialProvider(CredentialProvider):
    METHOD = "fedhub"

    def __init__(self, credentials: RenewableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials


def _fetch_own() -> Fetched:
    # A new session reads files and variables again. The credentials from botocore are valid for ten minutes or more.
    credentials = new_session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return credentials.get_frozen_credentials(), _utc_now() + _OWN_LIFETIME


def _assume_role(role_arn: str, region: str, external_id: str, config: Config) -> Fetched:
    sts = cast("_StsClient", new_session().create_client("sts", region_name=region, config=config))
    wanted = {"RoleArn": role_arn, "RoleSessionName": f"agentcore-federation-{region}"}
    if external_id:
        wanted["ExternalId"] = external_id
    answered = sts.assume_role(**wanted)["Credentials"]
    frozen = ReadOnlyCredentials(answered["AccessKeyId"], answered["SecretAccessKey"], answered["SessionToken"], None)
    return frozen, answered["Expiration"].astimezone(UTC) - _RENEW_BEFORE


def _utc_now() -> datetime:
    return datetime.now(UTC)
