"""The people, tokens and rows of the matrix tests: one table of who has which scope and which right.

A further kind of credential is one more function that yields callers, and one more line in `make_world`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client
from django.utils import timezone
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT
from oauth2_provider.models import get_access_token_model
from pytest_django import Settings

from core.actors import actor_of
from core.programs.issuers import read_issuers
from core.programs.keys import KeySets, usable_keys
from core.tokens.services import Note, issue_token
from federations.api.registry_entries import name_of
from federations.models import A2aAgent, AccessLevel, Federation, McpServer, RuntimeObservation, StoredPlan, SyncJob
from federations.services.access import grant
from federations.services.federations import create_federation
from federations.services.runs.make import Work, make_run
from federations.sync.summary import summarize
from peers.models import Dispatch, Intent, Peer
from peers.services.trust.peer_tokens import issue_peer_token
from peers.services.trust.peers import add_peer
from tests.conftest import CONFIG, resource_columns

READ, WRITE, SYSTEM = "federations-read", "federations-write", "system-ops"
RUN, PEERS_READ, PEERS_WRITE = "agents-run", "peers-read", "peers-write"
SCOPES = frozenset({READ, WRITE, SYSTEM, RUN, PEERS_READ, PEERS_WRITE})
OF_EVERYONE = frozenset({READ, RUN})

# Rights beside the scopes. The first three are on the federation of the rows.
VIEW, EDIT, OWN, CREATE, GIVE_WORK, APPROVE = "view", "edit", "own", "create", "give work", "approve"
RIGHTS = frozenset({VIEW, EDIT, OWN, CREATE, GIVE_WORK, APPROVE})

ROLE_RIGHTS = {
    "Reader": {VIEW},
    "Operator": {VIEW, GIVE_WORK},
    "Approver": {VIEW, APPROVE},
    "Administrator": RIGHTS,
}
GRANT_RIGHTS = {AccessLevel.VIEW: {VIEW}, AccessLevel.EDIT: {VIEW, EDIT}, AccessLevel.OWNER: {VIEW, EDIT, OWN}}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the header or session of the requests, the scopes and rights; `is_known` for a valid credential."""

    name: str
    token: str = ""
    user: User | None = None
    scopes: frozenset[str] = frozenset()
    rights: frozenset[str] = frozenset()
    is_known: bool = True
    is_peer: bool = False

    def client(self) -> Client:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else None
        client = Client(raise_request_exception=False, headers=headers)
        if self.user is not None:
            client.force_login(self.user)
        return client


@dataclass(slots=True)
class World:
    """A federation with a row of each kind, the ids of the rows by the names in addresses, and the callers."""

    federation: Federation
    ids: dict[str, str] = field(default_factory=dict)
    callers: list[Caller] = field(default_factory=list)


def make_world() -> World:
    """Store the rows and issue the tokens."""
    creator = person("creator")
    creator.user_permissions.add(Permission.objects.get(codename="add_federation"))
    federation = create_federation(
        provider_type="aws_agentcore",
        display_name="Payments",
        description=None,
        tags=[],
        provider_config={**CONFIG},
        by=actor_of(creator),
    )
    world = World(federation, make_rows(federation))
    world.callers = [*refused_callers(), *callers_by_scope(), *callers_by_role(), *callers_by_grant(federation)]
    world.callers += callers_for_one_federation(federation)
    world.callers.append(caller("owner", creator, OF_EVERYONE | {WRITE}, {VIEW, EDIT, OWN, CREATE}))
    return world


def make_rows(federation: Federation) -> dict[str, str]:
    server = McpServer.objects.create(federation=federation, **resource_columns("mcp", "ledger"), server_name="ledger")
    card = {"name": "triage", "version": "1"}
    agent = A2aAgent.objects.create(
        federation=federation, **resource_columns("a2a", "triage"), name="triage", card=card
    )
    runtime = RuntimeObservation.objects.create(
        scope=federation.pk, name="ledger", runtime_id="ledger-1", runtime_arn="arn:1", protocol="MCP", version="1"
    )
    job = SyncJob.objects.create(
        federation_id=federation.pk, federation_name="Payments", job_type="full_sync", trigger="api", status="success"
    )
    classes = dict.fromkeys(("compatible", "risky", "breaking"), 0)
    later, summary = timezone.now() + timedelta(days=1), summarize(()).to_dict()
    plan = StoredPlan.objects.create(
        federation=federation, expires_at=later, digest="d", summary=summary, classes=classes
    )
    waiting = make_run(agent, Work("Check", needs_approval=True), by=actor_of(person("giver")))
    intent = Intent.objects.create(title="Reconcile")
    peer = add_peer("https://partner.example.org", by=actor_of(person("colleague")))
    Peer.objects.filter(pk=peer.pk).update(state="approved")
    Dispatch.objects.create(
        id="d-1", intent_id=intent.pk, intent_title="Reconcile", peer=peer, target_server=peer.server_url, envelope="{}"
    )
    rows = {"federation": federation, "server": server, "agent": agent, "runtime": runtime, "job": job, "plan": plan}
    rows |= {"run": waiting, "intent": intent}
    of_registry = {"registry_name": name_of(server), "version": server.runtime_version}
    return {**{f"{name}_id": str(row.pk) for name, row in rows.items()}, **of_registry}


def refused_callers() -> Iterator[Caller]:
    """Yield the callers without a valid credential of a person."""
    yield Caller("stranger", is_known=False)
    yield Caller("unknown token", token="fedhub_unknown", is_known=False)
    root = User.objects.create_superuser("former-root")
    yield Caller("expired token", token=token_of(root, expires=timezone.now() - timedelta(seconds=1)), is_known=False)
    revoked = token_of(root)
    get_access_token_model().objects.order_by("-pk")[0].revoke()
    yield Caller("revoked token", token=revoked, is_known=False)
    disabled = User.objects.create_superuser("disabled")
    yield Caller("disabled user", token=token_of(disabled), is_known=False)
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    token = issue_peer_token(Peer.objects.get(), days=1, by=actor_of(root))
    yield Caller("peer-bound token", token=token, is_known=False, is_peer=True)


def callers_by_scope() -> Iterator[Caller]:
    """Yield a person without rights, and a superuser whose token has one scope, every scope, or who has a session."""
    yield caller("no right", person("plain"), OF_EVERYONE, ())
    root = User.objects.create_superuser("root")
    for scope in sorted(SCOPES):
        yield Caller(f"only {scope}", token=token_of(root, scope), scopes=frozenset({scope}), rights=RIGHTS)
    yield caller("superuser", root, SCOPES, RIGHTS)
    yield Caller("superuser's session", user=root, scopes=SCOPES, rights=RIGHTS)


def callers_by_role() -> Iterator[Caller]:
    """Yield a member of each role, and a person who lost a role after the token was issued."""
    for name, rights in ROLE_RIGHTS.items():
        member = person(name.lower())
        member.groups.add(Group.objects.get(name=name))
        scopes = SCOPES if name == "Administrator" else OF_EVERYONE | {PEERS_READ}
        yield caller(name, member, scopes, rights)
    former = person("former")
    former.groups.add(Group.objects.get(name="Administrator"))
    found = caller("lost the role", former, OF_EVERYONE, ())
    former.groups.clear()
    yield found


def callers_by_grant(federation: Federation) -> Iterator[Caller]:
    """Yield a person with a grant at each level, and the member of a group with a grant."""
    for level, rights in GRANT_RIGHTS.items():
        holder = person(f"grant-{level.name.lower()}")
        grant(federation, level=level, user=holder)
        scopes = OF_EVERYONE | {WRITE} if level >= AccessLevel.EDIT else OF_EVERYONE
        yield caller(f"grant {level.name}", holder, scopes, rights)
    member, group = person("member"), Group.objects.create(name="Team")
    member.groups.add(group)
    grant(federation, level=AccessLevel.EDIT, group=group)
    yield caller("group's grant EDIT", member, OF_EVERYONE | {WRITE}, GRANT_RIGHTS[AccessLevel.EDIT])


def callers_for_one_federation(federation: Federation) -> Iterator[Caller]:
    """Yield a superuser, and an editor, with a token for the federation of the rows, and one for another federation."""
    root, editor = User.objects.create_superuser("root-of-one"), person("editor-of-one")
    grant(federation, level=AccessLevel.EDIT, user=editor)
    scopes, other = OF_EVERYONE | {WRITE}, "0" * 24
    for name, user, rights in (
        ("superuser", root, {VIEW, EDIT, OWN, GIVE_WORK, APPROVE}),
        ("editor", editor, GRANT_RIGHTS[AccessLevel.EDIT]),
    ):
        for where, key, kept in (("this", federation.pk, rights), ("another", other, set())):
            raw = issue_token(user.username, scopes=SCOPES, days=1, note=Note("for one", key))
            yield Caller(f"{name}'s token for {where} one", token=raw, scopes=scopes, rights=frozenset(kept))


def callers_by_jwt(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Caller]:
    """Yield programs with a JWT: for a user with a role, for one without, and of an unknown issuer."""
    key = JWK.generate(kty="OKP", crv="Ed25519", kid="k")
    published = usable_keys({"keys": [key.export_public(as_dict=True)]})
    monkeypatch.setattr("core.api.authentication.KEY_SETS", KeySets(lambda issuer: published))
    entries = [
        {"issuer": f"https://{name}.example", "audience": "hub", "user": name, "algorithms": "EdDSA",
         "required_claims": {"sub": "build"}, "scopes": [READ, WRITE, RUN]}
        for name in ("trusted", "bounded")
    ]  # fmt: skip
    settings.FEDHUB_JWT_ISSUERS = read_issuers(json.dumps(entries), scopes=SCOPES)

    def jwt_of(name: str) -> str:
        now = int(timezone.now().timestamp())
        claims = {"iss": f"https://{name}.example", "aud": "hub", "sub": "build", "iat": now, "exp": now + 900}
        token = JWT(header={"alg": "EdDSA", "kid": "k"}, claims=claims, algs=["EdDSA"])
        token.make_signed_token(key)
        return str(token.serialize())

    person("trusted").groups.add(Group.objects.get(name="Administrator"))
    person("bounded")
    yield Caller("foreign JWT", token=jwt_of("trusted"), scopes=frozenset({READ, WRITE, RUN}), rights=RIGHTS)
    yield Caller("foreign JWT of a user without a role", token=jwt_of("bounded"), scopes=OF_EVERYONE)
    yield Caller("JWT of an unknown issuer", token=jwt_of("unknown"), is_known=False)


def caller(name: str, user: User, scopes: Any, rights: Any) -> Caller:
    """Return a caller whose token has every scope; `scopes` are those that the user's roles give."""
    return Caller(name, token=token_of(user), scopes=frozenset(scopes), rights=frozenset(rights))


def person(name: str) -> User:
    return User.objects.create_user(name)


def token_of(user: User, *scopes: str, expires: Any = None) -> str:
    raw = issue_token(user.username, scopes=scopes or SCOPES, days=1)
    if expires is not None:
        get_access_token_model().objects.filter(user=user).update(expires=expires)
    return raw


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block stores."""
    with transaction.atomic():  # noqa: TID251 (the request's own unit of work joins this transaction)
        yield
        transaction.set_rollback(True)


@contextmanager
def without_logs() -> Iterator[None]:
    """Write no log of the block: its refusals are meant, and to format them takes a third of the time."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
