"""AWS credentials of one federation: the hub's own, or those of a role assumed with them.

Each discovery makes its own, so two federations cannot share any. botocore asks them anew for every signature.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol, TypedDict, cast

from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.session import Session

# Long enough before the end for a request that is signed now to arrive, retries included.
_RENEW_BEFORE = timedelta(minutes=5)
_OWN_FOR = timedelta(minutes=5)

Fetched = tuple[ReadOnlyCredentials, datetime]
Fetch = Callable[[], Fetched]


class _StsClient(Protocol):
    def assume_role(self, **wanted: str) -> _AssumedRole: ...


class _AssumedRole(TypedDict):
    Credentials: _GivenCredentials


class _GivenCredentials(TypedDict):
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: datetime


class RenewableCredentials(Credentials):
    """Credentials that are fetched on first use, before they end, and when AWS says that they have ended.

    `generation` counts the fetches: of many threads that are refused with the same credentials, one renews them.
    """

    def __init__(self, fetch: Fetch, now: Callable[[], datetime]) -> None:
        super().__init__("", "", method="fedhub")
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._fetched: Fetched | None = None
        self.generation = 0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the credentials to sign with now; raise what AssumeRole raises."""
        with self._lock:
            if self._fetched is None or self._now() >= self._fetched[1]:
                self._fetched = self._fetch()
                self.generation += 1
            return self._fetched[0]

    def renew(self, generation: int) -> None:
        """Forget the credentials of `generation`; later ones are kept."""
        with self._lock:
            if self.generation == generation:
                self._fetched = None


def own_credentials() -> RenewableCredentials:
    """Return the hub's own credentials, as botocore finds them: environment, files, container, instance."""
    return RenewableCredentials(_own, _utc_now)


def role_credentials(role_arn: str, region: str, external_id: str, config: Config) -> RenewableCredentials:
    """Return credentials from AWS STS AssumeRole, called with the hub's own."""
    return RenewableCredentials(lambda: _assume(role_arn, region, external_id, config), _utc_now)


def session_with(credentials: RenewableCredentials) -> Session:
    """Return a botocore session that signs with `credentials` and nothing else."""
    session = new_session()
    session.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
    return session


def new_session() -> Session:
    """Return a botocore session that reads variables and files afresh, but not AWS's service models: they are large."""
    session = Session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session


@lru_cache(maxsize=1)
def _loader(data_path: str | None) -> Loader:
    return create_loader(data_path)


class _Given(CredentialProvider):
    METHOD = "fedhub"

    def __init__(self, credentials: RenewableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials


def _own() -> Fetched:
    # A new session reads files and variables again. What botocore gives out lasts ten minutes or more.
    credentials = new_session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    return credentials.get_frozen_credentials(), _utc_now() + _OWN_FOR


def _assume(role_arn: str, region: str, external_id: str, config: Config) -> Fetched:
    sts = cast("_StsClient", new_session().create_client("sts", region_name=region, config=config))
    wanted = {"RoleArn": role_arn, "RoleSessionName": f"agentcore-federation-{region}"}
    if external_id:
        wanted["ExternalId"] = external_id
    given = sts.assume_role(**wanted)["Credentials"]
    frozen = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], None)
    return frozen, given["Expiration"].astimezone(UTC) - _RENEW_BEFORE


def _utc_now() -> datetime:
    return datetime.now(UTC)
