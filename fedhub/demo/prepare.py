"""What the demo finds ready: the tables, a staff user with a password of its own, and one federation to sync."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections

from federations.models import Federation, ProviderType
from federations.services.actors import actor_of
from federations.services.federations import create_federation
from fedhub.demo.surroundings import REGION, shell_lines

USERNAME = "admin"
ROLE_ARN = "arn:aws:iam::123456789012:role/fedhub-discovery"
TAG = "demo"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the box tells; `password` is None where somebody has changed it."""

    username: str
    password: str | None
    federation_id: str
    federation_name: str


def prepare(folder: Path, variables: Mapping[str, str]) -> Prepared:
    """Migrate, and make in `folder` and the database what is not there yet; a second run finds what the first made."""
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / "env", shell_lines(variables))
    call_command("migrate", interactive=False, verbosity=0)
    user, password = _staff_user(folder / "password")
    federation = _federation(user)
    # The children get their own connections; one shared over a fork is broken.
    connections.close_all()
    return Prepared(user.get_username(), password, federation.id, federation.display_name)


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, from its first byte on."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _staff_user(password_path: Path) -> tuple[User, str | None]:
    user = User.objects.filter(username=USERNAME).first()
    if user is None:
        password = secrets.token_urlsafe(15)
        # Kept first: a user whose password nobody knows is worse than a password without a user.
        write_private(password_path, password + "\n")
        return User.objects.create_superuser(USERNAME, password=password), password
    kept = password_path.read_text(encoding="utf-8").strip() if password_path.exists() else ""
    return user, kept if kept and user.check_password(kept) else None


def _federation(user: User) -> Federation:
    federation = Federation.objects.filter(tag_rows__name=TAG).order_by("created_at").first()
    return federation or create_federation(
        provider_type=ProviderType.AWS_AGENTCORE,
        display_name="AgentCore demo",
        description="The sandbox that stands in for AWS on this machine.",
        tags=[TAG],
        provider_config={"region": REGION, "assumeRoleArn": ROLE_ARN},
        by=actor_of(user),
    )
