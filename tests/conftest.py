"""People, tokens, federations and a cloud that tests of every part share.

Tests that run a sync need `transactional_db`: the heartbeat writes through a connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from core.acting import forget_actor
from core.actors import actor_of
from core.programs.models import TokenUse
from core.tokens.services import issue_token
from federations.models import (
    A2aAgent,
    A2aAgentTag,
    AccessLevel,
    Federation,
    McpServer,
    McpServerTag,
    RuntimeObservation,
)
from federations.search.registry import search_index
from federations.services.access import grant
from federations.services.federations import create_federation
from peers.services.catalog import ard
from peers.services.trust import log_checkpoints, notices, passing_lines, peer_cache, rate_limits
from sandbox.client import SandboxClient
from tests.examples import choose_profile
from tests.sandbox_server import REGION, ROLE_ARN, RunningSandbox, start_sandbox
from tests.stores.emptying import empty_by_copies
from tests.stores.migrated import make_once

choose_profile()

READ_WRITE = "federations-read federations-write"
CONFIG = {"region": REGION, "assumeRoleArn": ROLE_ARN}

Api = Callable[..., APIClient]
MakeUser = Callable[..., User]
MakeFederation = Callable[..., Federation]
MakeServer = Callable[..., McpServer]
MakeAgent = Callable[..., A2aAgent]
MakeRuntime = Callable[..., RuntimeObservation]


TESTS = Path(__file__).parent
LONG = ("browser", "contract")
"""The folders whose files have few tests, and long ones that often wait for servers."""
SPREAD = 0.8
"""The share of the other files among which the long ones are spread."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the long files, and restore the order of the file in modules that are marked `in_order`.

    pytest-randomly has shuffled the modules and their tests. Where long files run beside each other alone, or one comes
    last, the processors are idle.
    """
    ranks = _spread(list(dict.fromkeys(item.path for item in items)))
    items.sort(key=lambda item: ranks[item.path])
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if item.get_closest_marker("in_order"):
            places.setdefault(str(item.path), []).append(place)
    for of_module in places.values():
        ordered = sorted((items[place] for place in of_module), key=lambda item: item.reportinfo()[1] or 0)
        for place, item in zip(of_module, ordered, strict=True):
            items[place] = item


def _spread(paths: list[Path]) -> dict[Path, float]:
    """Return the place of each file: the long files at even distances among the first of the others."""
    long = [path for path in paths if path.relative_to(TESTS).parts[0] in LONG]
    others = [path for path in paths if path not in long]
    distance = SPREAD * len(others) / max(1, len(long))
    return {path: float(place) for place, path in enumerate(others)} | {
        path: place * distance - 0.5 for place, path in enumerate(long)
    }


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """Have the database made by a copy."""
    make_once(connections["default"])


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Make the databases as pytest-django does, and have their tables emptied quickly."""
    with django_db_blocker.unblock():
        empty_by_copies(connections["default"])


@pytest.fixture(autouse=True)
def nothing_remembered(request: pytest.FixtureRequest) -> None:
    """Start each test as a new process starts, which has heard of no peer, with an empty search index.

    A test that commits nothing leaves nothing in the index, since indexing follows a commit.
    """
    ard.CATALOG.forget()
    forget_actor()
    log_checkpoints.forget_all()
    notices.forget_all()
    passing_lines.forget_all()
    peer_cache.forget_all()
    rate_limits.forget_all()
    mark = request.node.get_closest_marker("django_db")
    if (mark and mark.kwargs.get("transaction")) or "transactional_db" in request.fixturenames:
        search_index().clear()


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """Create a user by name; other attributes by keyword."""

    def make(username: str, **attributes: Any) -> User:
        return User.objects.create_user(username, password="correct horse battery", **attributes)

    return make


PERMISSIONS_OF_SCOPES = {
    "federations-write": "add_federation",
    "system-ops": "system_ops",
    "agents-run": "run_a2aagent",
    "peers-read": "view_dispatch",
    "peers-write": "add_dispatch",
}


def give_scopes(user: User, scopes: Collection[str] = tuple(PERMISSIONS_OF_SCOPES)) -> User:
    """Give the user the permissions that the scopes need, and no right on any federation."""
    codenames = [PERMISSIONS_OF_SCOPES[scope] for scope in scopes if scope in PERMISSIONS_OF_SCOPES]
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    """A user who creates federations, and so owns them, and whose roles give every scope."""
    return give_scopes(make_user("owner"))


@pytest.fixture
def reader(make_user: MakeUser) -> User:
    """Who may view the fixtures' federations, and no more."""
    return make_user("reader")


@pytest.fixture
def stranger(make_user: MakeUser) -> User:
    """Who may view nothing."""
    return make_user("stranger")


@pytest.fixture
def api(db: None) -> Api:
    """Return a client with a token of a user, whose roles then give these scopes; without a user, without a token."""

    def make(user: User | None = None, scopes: str = READ_WRITE) -> APIClient:
        client = APIClient(raise_request_exception=False)
        if user is not None:
            give_scopes(user, scopes.split())
            token = issue_token(user.username, scopes=scopes.split(), days=1)
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
            # Else the first request alone would record the use of the token, and ask more queries than the second.
            used = get_access_token_model().objects.latest("pk")
            TokenUse.objects.create(token=used, used_at=timezone.now(), address="127.0.0.1")
        return client

    return make


@pytest.fixture
def make_federation(owner: User, reader: User) -> MakeFederation:
    """Create a federation that the owner owns and the reader may view."""

    def make(display_name: str = "AgentCore Prod", **attributes: Any) -> Federation:
        values: dict[str, Any] = {
            "provider_type": "aws_agentcore",
            "description": None,
            "tags": [],
            "provider_config": CONFIG,
            "by": actor_of(owner),
        }
        federation = create_federation(display_name=display_name, **(values | attributes))
        grant(federation, level=AccessLevel.VIEW, user=reader)
        return federation

    return make


@pytest.fixture
def federation(make_federation: MakeFederation) -> Federation:
    """A federation of the owner, which the reader may view."""
    return make_federation()


def resource_columns(kind: str, name: str) -> dict[str, Any]:
    """Return the columns that a discovered resource of this name has, whichever its kind."""
    return {
        "path": f"/agentcore/{kind}/{name}",
        "description": f"{name} for tests",
        "status": "READY",
        "region": REGION,
        "account_id": "123456789012",
        "runtime_id": f"{name}-0123456789",
        "runtime_arn": f"arn:aws:bedrock-agentcore:{REGION}:123456789012:runtime/{name}-0123456789",
        "runtime_version": "1",
        "access_mode": "iam",
        "runtime_access": {"mode": "iam"},
        "url": f"https://bedrock-agentcore.{REGION}.amazonaws.com/runtimes/{name}/invocations?qualifier=DEFAULT",
        "enriched_at": datetime(2026, 3, 26, 7, 20, tzinfo=UTC),
    }


@pytest.fixture
def make_server(db: None) -> MakeServer:
    """Store an MCP server of a federation, or of none."""

    def make(
        federation: Federation | None, name: str = "demo", *, tags: tuple[str, ...] = (), **columns: Any
    ) -> McpServer:
        tool = {"name": "lookup", "description": "Look it up", "inputSchema": {"type": "object"}}
        own = {"server_name": name, "tools": [tool], "num_tools": 1}
        server = McpServer.objects.create(federation=federation, **(resource_columns("mcp", name) | own | columns))
        McpServerTag.objects.bulk_create(McpServerTag(resource=server, name=tag) for tag in tags)
        return server

    return make


@pytest.fixture
def make_agent(db: None) -> MakeAgent:
    """Store an A2A agent of a federation, or of none."""

    def make(
        federation: Federation | None, name: str = "demo", *, tags: tuple[str, ...] = (), **columns: Any
    ) -> A2aAgent:
        skill = {"id": "sum", "name": "Sum up", "description": "Sums up", "tags": []}
        card = {"name": name, "version": "1.0.0", "skills": [skill]}
        own = {"name": name, "card": card, "skills": [skill], "num_skills": 1}
        agent = A2aAgent.objects.create(federation=federation, **(resource_columns("a2a", name) | own | columns))
        A2aAgentTag.objects.bulk_create(A2aAgentTag(resource=agent, name=tag) for tag in tags)
        return agent

    return make


@pytest.fixture
def make_runtime(db: None) -> MakeRuntime:
    """Store the observation of a runtime of a federation, or of the region without a federation."""

    def make(federation: Federation | None, name: str = "demo", **columns: Any) -> RuntimeObservation:
        resource = resource_columns("mcp", name)
        own: dict[str, Any] = {
            "scope": federation.id if federation else f"unfederated:{REGION}",
            "name": name,
            "protocol": "MCP",
            "kind": "mcp_server",
            "version": "1",
            "last_updated_at": datetime(2026, 3, 26, 7, 20, tzinfo=UTC),
            **{column: resource[column] for column in ("runtime_id", "runtime_arn", "status", "description")},
        }
        return RuntimeObservation.objects.create(**(own | columns))

    return make


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    """A local AWS without runtimes, one for the whole run; `cloud` leads the hub to it."""
    with start_sandbox(runtimes=0) as running:
        yield running


@pytest.fixture
def cloud(sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxClient]:
    """Lead the hub to the sandbox, and return what changes it; afterwards it is as empty as before."""
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    yield sandbox.admin
    sandbox.admin.faults()
    sandbox.admin.lifetime(None)
    sandbox.admin.latency(0)
    for runtime in sandbox.admin.runtimes():
        sandbox.admin.remove(str(runtime["name"]))
    search_index().clear()
