"""The preparation of a hub of the demo: tables, a staff user with a password, a federation, and a peer.

The federation is not synced yet, and the other hub is a proposed peer, which staff approve.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from core.actors import Actor, actor_of
from core.private_files import PRIVATE_FILE, make_private_folder
from core.strict_json import Json
from federations.models import Federation, ProviderType, SyncJob
from federations.services.federations import create_federation
from federations.services.start import start_sync
from federations.sync.naming import resource_path
from federations.sync.resources import ResourceKind
from peers.models import AgentVisibilityChoice, AgentWorkSetting, PeerKey, PeerState, Visibility
from peers.services.catalog.agents import agent_id_of, set_visibility
from peers.services.catalog.work_settings import set_asks_before_work
from peers.services.trust.identity import hub_identity
from peers.services.trust.peer_documents import refresh_documents
from peers.services.trust.peers import add_peer, find_peer
from sandbox.demo.addresses import REGION, shell_exports

USERNAME = "admin"
ROLE_ARN = "arn:aws:iam::123456789012:role/fedhub-discovery"
TAG = "demo"
# The only agent that approved peers may use from the start; staff set the visibility of the others.
AGENT_PATH = resource_path(ResourceKind.A2A_AGENT, "pharmacy_fraud_a2a")
AGENT_ID = agent_id_of(AGENT_PATH)
# The agents that begin the work of peers at once; the others ask staff first.
READY_PATHS = (AGENT_PATH, resource_path(ResourceKind.A2A_AGENT, "contract_analysis_a2a"))


@dataclass(frozen=True, slots=True)
class PreparedHub:
    """The facts about a hub that `prepare` returns for the summary box; `password` is None if a person changed it."""

    username: str
    password: str | None
    federation_id: str
    federation_name: str
    fingerprint: str
    """SHA-256 of the key that the hub signs with."""


def prepare(
    folder: Path, variables: Mapping[str, str], *, other_url: str, tags_filter: Mapping[str, str] | None = None
) -> PreparedHub:
    """Migrate, and create the missing rows in the database and files in `folder`; a second run changes nothing.

    With `tags_filter` the federation discovers only the runtimes with these tags.
    """
    make_private_folder(folder)
    write_private_file(folder / "env", shell_exports(variables))
    call_command("migrate", interactive=False, verbosity=0)
    user, password = _staff_user(folder / "password")
    federation = _federation(user, tags_filter or {})
    if not AgentVisibilityChoice.objects.filter(federation_id=federation.id, path=AGENT_PATH).exists():
        set_visibility(federation.id, AGENT_PATH, Visibility.UNLISTED.value, actor_of(user))
    for path in READY_PATHS:
        if not AgentWorkSetting.objects.filter(federation_id=federation.id, path=path).exists():
            set_asks_before_work(federation.id, path, False, by=actor_of(user))
    if find_peer(other_url) is None:
        add_peer(other_url, by=actor_of(user), notes="The other hub of the demo.")
    fingerprint = PeerKey(public_key=hub_identity().public_key_b64).fingerprint
    # The children open their own connections, because a connection that two processes share is broken.
    connections.close_all()
    return PreparedHub(user.get_username(), password, federation.id, federation.display_name, fingerprint)


def fetch_peer_documents(other_url: str) -> bool:
    """Fetch the documents of the other hub if it is a proposed peer, so that staff can compare its key.

    Returns whether the other hub is a proposed peer. Raises ExternalServiceError.
    """
    peer = find_peer(other_url)
    if peer is None or peer.state != PeerState.PROPOSED:
        return False
    refresh_documents(peer, by=None, now=timezone.now())
    return True


def sync_once() -> None:
    """Queue a sync of the demo's federation if it was never synced."""
    federation = Federation.objects.filter(tag_rows__name=TAG).order_by("created_at").first()
    if federation and not SyncJob.objects.filter(federation_id=federation.id).exists():
        start_sync(federation, by=Actor(id="", name="demo"), reason="first import", queued=True)


def write_private_file(path: Path, text: str) -> None:
    """Write a file with mode 0600; the file gets this mode before its first byte, so that no other user can read it."""
    path.unlink(missing_ok=True)
    path.touch(mode=PRIVATE_FILE)
    path.write_text(text, encoding="utf-8")


def _staff_user(password_path: Path) -> tuple[User, str | None]:
    user = User.objects.filter(username=USERNAME).first()
    if user is None:
        password = secrets.token_urlsafe(15)
        # The file comes first: a password without a user is harmless, a user whose password is lost is not.
        write_private_file(password_path, password + "\n")
        return User.objects.create_superuser(USERNAME, password=password), password
    saved = password_path.read_text(encoding="utf-8").strip() if password_path.exists() else ""
    return user, saved if saved and user.check_password(saved) else None


def _federation(user: User, tags_filter: Mapping[str, str]) -> Federation:
    config: dict[str, Json] = {"region": REGION, "assumeRoleArn": ROLE_ARN}
    if tags_filter:
        config["resourceTagsFilter"] = dict(tags_filter)
    federation = Federation.objects.filter(tag_rows__name=TAG).order_by("created_at").first()
    return federation or create_federation(
        provider_type=ProviderType.AWS_AGENTCORE,
        display_name="AgentCore demo",
        description="The sandbox on this machine, in place of AWS.",
        tags=[TAG],
        provider_config=config,
        by=actor_of(user),
    )
