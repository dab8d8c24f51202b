"""Check the query plan of every list filter, on each store, with 100,000 resources.

The benchmark requests each list over the API, once as a user who may view everything and once as a user with grants. It
asks the database to explain every query of the list. A query that reads a whole large table to find a few rows is a
fault. The substring filter `query` has no index by design, so the benchmark measures its time instead. SecantusDB
stands for MongoDB if TEST_MONGODB_URI is empty: it makes the same plans, but its times are not those of MongoDB.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

ROOT = Path(__file__).resolve().parent.parent
SERVERS, AGENTS, FEDERATIONS, JOBS, GRANTS = 70_000, 30_000, 5_000, 20_000, 20
STORES = ("sqlite", "postgresql", "mongodb")
CHUNK = 1_000
STORE_SECONDS = 1_800
AIM_P95_MS = 200.0
WORDS = ("invoice", "ledger", "weather", "travel", "claims", "payroll", "search", "support", "risk", "stock")
FILTERS = (
    "federations?providerType=azure_ai_foundry",
    "federations?syncStatus=failed",
    "federations?tag=team-7",
    "federations?tags=team-7,stage-3",
    "federations/{federation}/jobs",
    "servers?federationId={federation}",
    "servers?status=CREATE_FAILED",
    "servers?tag=team:7",
    "servers?federationId={federation}&status=CREATE_FAILED&tag=team:7",
    "agents?federationId={federation}",
    "agents?status=CREATE_FAILED",
    "agents?tag=team:7",
    "servers?page=2",
    "agents?page=2",
    "intents?page=2",
)
SUBSTRINGS = tuple(
    f"{kind}?query={word}-{tens}" for kind in ("servers", "agents") for word in WORDS for tens in (1, 77)
)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One list as one caller gets it: its rows, the time of the request, and the tables that were read whole."""

    path: str
    caller: str
    rows: int
    milliseconds: float
    read_whole: list[str] = field(default_factory=list)


def main(stores: Sequence[str]) -> int:
    """Measure each store in its own process. Return 1 if a filter does not use an index."""
    return max([_measure_apart(store) for store in stores or STORES])


def _measure_apart(store: str) -> int:
    from tests.stores import STARTERS, VARIABLES

    given = os.environ.get(VARIABLES.get(store, ""), "")
    server = STARTERS[store]() if store in STARTERS and not given else None
    variable = {"postgresql": "DATABASE_URL", "mongodb": "MONGODB_URI"}.get(store)
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "MONGODB_URI")}
    if variable:
        environment[variable] = given or (server.url if server else "")
    command = [
        sys.executable,
        "-c",
        f"from benchmarks.query_plans import measure; raise SystemExit(measure({store!r}))",
    ]
    try:
        with tempfile.TemporaryDirectory(prefix="fedhub-bench-") as folder:
            environment |= {"FEDHUB_VAR_DIR": folder, "DJANGO_SETTINGS_MODULE": "fedhub.settings", "LOG_LEVEL": "ERROR"}
            return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=STORE_SECONDS).returncode
    finally:
        if server is not None:
            server.stop()


def measure(store: str) -> int:
    """Fill the registry that the environment names, measure every list, print and write the results."""
    import django

    django.setup()
    from benchmarks.measure import save_results

    began = time.perf_counter()
    federation = _fill()
    filled = time.perf_counter() - began
    callers = _callers()
    requests = [
        _request_list(client, caller, path, federation) for caller, client in callers.items() for path in FILTERS
    ]
    searches = [_request_list(callers["all"], "all", path, federation) for path in SUBSTRINGS]
    p95 = statistics.quantiles([request.milliseconds for request in searches], n=20)[-1]
    results = {
        "server": "SecantusDB" if store == "mongodb" and not os.environ.get("TEST_MONGODB_URI") else store,
        "resources": SERVERS + AGENTS,
        "fill_seconds": round(filled, 1),
        "query_p95_ms": round(p95, 1),
        "aims": {"query_p95_ms": AIM_P95_MS, "filters_without_index": 0},
        "requests": [asdict(request) for request in requests],
        "substrings": [asdict(request) for request in searches],
    }
    _report(store, requests, p95)
    save_results(f"query_plans-{store}", results)
    return 1 if any(request.read_whole for request in requests) else 0


def _request_list(client: APIClient, caller: str, path: str, federation: str) -> ListRequest:
    from benchmarks.explain_queries import queries_of_registry, tables_read_whole

    address = "/api/v1/" + path.format(federation=federation)
    client.get(address)
    began = time.perf_counter()
    body = client.get(address).json()
    milliseconds = (time.perf_counter() - began) * 1000
    with queries_of_registry() as queries:
        client.get(address)
    read_whole = (
        [] if "query=" in path else [table for query in queries for table in tables_read_whole(query, _large())]
    )
    return ListRequest(path, caller, body["pagination"]["total"], round(milliseconds, 1), sorted(set(read_whole)))


def _large() -> set[str]:
    """Return the tables that no filter may read whole. A good plan may read a small table whole."""
    from federations import models
    from peers.models import Intent

    return {
        model._meta.db_table
        for model in (
            models.Federation,
            models.FederationTag,
            models.SyncJob,
            models.McpServer,
            models.McpServerTag,
            models.A2aAgent,
            models.A2aAgentTag,
            Intent,
        )
    }


def _callers() -> dict[str, APIClient]:
    """Return the client of a user who may view everything, and of a user with grants only."""
    from django.contrib.auth.models import Permission, User

    from federations.models import AccessLevel, Federation
    from federations.services.access import grant

    everything = User.objects.create_superuser("everything", password="correct horse battery")
    granted = User.objects.create_user("granted", password="correct horse battery")
    granted.user_permissions.add(Permission.objects.get(codename="view_dispatch"))
    for federation in Federation.objects.order_by("display_name")[:GRANTS]:
        grant(federation, level=AccessLevel.VIEW, user=granted)
    return {"all": _client(everything), "grants": _client(granted)}


def _client(user: User) -> APIClient:
    from rest_framework.test import APIClient

    from core.tokens.services import issue_token

    client = APIClient()
    token = issue_token(user.username, scopes=["federations-read", "peers-read"], days=1)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", HTTP_HOST="127.0.0.1")
    return client


def _fill() -> str:
    """Store all rows in bulk. Return the id of a federation that both callers may view."""
    from django.core.management import call_command
    from django.db import connections

    from core.store.unit_of_work import REGISTRY

    call_command("migrate", verbosity=0)
    ids = _fill_federations()
    _fill_resources(ids)
    if connections[REGISTRY].vendor == "postgresql":
        with connections[REGISTRY].cursor() as cursor:
            cursor.execute("ANALYZE")
    return ids[0]


def _fill_federations() -> list[str]:
    from federations.models import Federation, FederationTag, SyncJob
    from peers.models import Intent

    federations = [
        Federation(
            display_name=f"Account {number:05}",
            provider_type="azure_ai_foundry" if number % 50 == 7 else "aws_agentcore",
            sync_status="failed" if number % 40 == 3 else "success",
        )
        for number in range(FEDERATIONS)
    ]
    _store(federations)
    tags = ((f"team-{number % 300}", f"stage-{number % 4}") for number in range(FEDERATIONS))
    _store(
        FederationTag(federation=federation, position=position, name=name)
        for federation, names in zip(federations, tags, strict=True)
        for position, name in enumerate(names)
    )
    _store(
        SyncJob(federation_id=federations[number % FEDERATIONS].id, lock_key=str(number), status="success")
        for number in range(JOBS)
    )
    _store(Intent(id=f"intent-{number}", title=f"Intent {number}") for number in range(JOBS))
    return [federation.id for federation in federations]


def _fill_resources(federations: Sequence[str]) -> None:
    from federations.models import A2aAgent, A2aAgentTag, McpServer, McpServerTag

    for kind, count in ((McpServer, SERVERS), (A2aAgent, AGENTS)):
        # The step 7 and the number of federations have no common factor: every federation gets common and rare values.
        rows: list[Any] = [_resource(kind, number, federations[number * 7 % FEDERATIONS]) for number in range(count)]
        _store(rows)
        tag: Any = McpServerTag if kind is McpServer else A2aAgentTag
        _store(tag(resource=row, name=f"team:{number % 900}") for number, row in enumerate(rows))


def _resource(kind: Any, number: int, federation: str) -> Any:
    from django.utils import timezone

    from federations.models import McpServer

    first, second, third = (WORDS[number // step % len(WORDS)] for step in (1, 10, 100))
    name = f"{first}-{number}-{second}"
    return kind(
        **{"server_name" if kind is McpServer else "name": name},
        federation_id=federation,
        path=f"/agentcore/{kind._meta.model_name}/{name}",
        description=f"Answers questions about {second} and {third}.",
        status="CREATE_FAILED" if number % 200 == 11 else "READY",
        region="us-east-1",
        runtime_id=f"{name}-id",
        runtime_arn=f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{name}-id",
        runtime_version="1",
        access_mode="iam",
        url=f"https://example.com/{name}",
        enriched_at=timezone.now(),
    )


def _store(rows: Iterable[Any]) -> None:
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            type(row).objects.bulk_create(chunk)
            chunk = []
    if chunk:
        type(chunk[0]).objects.bulk_create(chunk)


def _report(store: str, requests: Sequence[ListRequest], p95: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{store}: lists over {SERVERS + AGENTS:,} resources")
    for heading in ("list", "caller", "rows", "ms", "read whole"):
        table.add_column(heading, justify="right" if heading in ("rows", "ms") else "left", overflow="fold")
    for request in requests:
        table.add_row(
            request.path,
            request.caller,
            f"{request.rows:,}",
            f"{request.milliseconds:.1f}",
            ", ".join(request.read_whole),
        )
    console = Console(width=120)
    console.print(table)
    console.print(f"query (no index by design): p95 {p95:.1f} ms (aim below {AIM_P95_MS:.0f} ms).")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
