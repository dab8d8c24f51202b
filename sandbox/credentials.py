"""The credentials that the sandbox accepts, and the trust policies of roles."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock

from sandbox.sigv4 import Credential, RequestRefusedError

DEFAULT_ACCOUNT = "123456789012"
# The example key of AWS's documentation, which secret scanners ignore.
DEFAULT_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
DEFAULT_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105


class CredentialStore:
    """The hub's own credential, the credentials that AssumeRole issued, and the trust policies of roles.

    A role whose name begins with `pinned-` accepts only the first ExternalId that it gets. A `lifetime_seconds` that is
    not None replaces the lifetime that a caller of AssumeRole requests.
    """

    def __init__(
        self,
        *,
        access_key_id: str = DEFAULT_ACCESS_KEY_ID,
        secret_access_key: str = DEFAULT_SECRET_ACCESS_KEY,
        account: str = DEFAULT_ACCOUNT,
    ) -> None:
        principal = f"arn:aws:iam::{account}:user/fedhub"
        hub = Credential(access_key_id, secret_access_key, "", account, None, principal)
        self._lock = Lock()
        self._credentials = {access_key_id: hub}
        self._required_ids: dict[str, str] = {}
        self._closed: set[str] = set()
        self.lifetime_seconds: int | None = None

    def find(self, access_key_id: str) -> Credential | None:
        """Return the credential with this access key id, also if it has expired; None if no credential has this id."""
        return self._credentials.get(access_key_id)

    def issue(self, credential: Credential) -> None:
        """Store an issued credential, so that `find` returns it."""
        with self._lock:
            self._credentials[credential.access_key_id] = credential

    def expire_issued(self) -> int:
        """Make every issued credential expire at once; return the number of issued credentials."""
        with self._lock:
            issued = [entry for entry in self._credentials.values() if entry.expires_at is not None]
            now = datetime.now(UTC)
            self._credentials |= {entry.access_key_id: replace(entry, expires_at=now) for entry in issued}
            return len(issued)

    def set_trust(self, role_arn: str, *, external_id: str | None, closed: bool) -> None:
        """Replace the trust policy of a role.

        The role then accepts only callers that send `external_id`, or callers with any ExternalId if `external_id` is
        None. With `closed`, the role refuses every caller.
        """
        with self._lock:
            self._closed.discard(role_arn)
            self._required_ids.pop(role_arn, None)
            if external_id is not None:
                self._required_ids[role_arn] = external_id
            if closed:
                self._closed.add(role_arn)

    def check_trust(self, caller: Credential, role_arn: str, external_id: str | None) -> None:
        """Raise RequestRefusedError if the trust policy of the role refuses `caller`."""
        with self._lock:
            if external_id and role_arn.partition(":role/")[2].split("/")[-1].startswith("pinned-"):
                self._required_ids.setdefault(role_arn, external_id)
            required = self._required_ids.get(role_arn)
            if role_arn in self._closed or (required is not None and external_id != required):
                raise RequestRefusedError(
                    "AccessDeniedException",
                    f"User: {caller.principal} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
                )
