"""The seeds of a sandbox: deterministic, varied, with names that AWS accepts."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from sandbox.runtime_kinds import BAD_TOOL
from sandbox.runtime_seeds import SHARED, SeedOptions, make_seeds
from sandbox.runtime_texts import DOMAINS, make_tools


def test_the_same_options_give_the_same_runtimes() -> None:
    assert list(make_seeds(SeedOptions(runtimes=40))) == list(make_seeds(SeedOptions(runtimes=40)))


def test_the_default_mix_has_every_kind() -> None:
    specs = list(make_seeds(SeedOptions()))
    assert Counter(spec.protocol for spec in specs) == {"MCP": 6, "A2A": 5, "HTTP": 1}
    for protocol in ("MCP", "A2A"):
        kinds = {bool(spec.authorizer) for spec in specs if spec.protocol == protocol}
        assert kinds == {True, False}
    assert [spec.name for spec in specs if spec.status == "CREATE_FAILED"] == ["legacy_crm_mcp"]
    assert [spec.name for spec in specs if BAD_TOOL in spec.tools] == ["document_search_mcp"]
    assert [spec.behavior.slow_seconds for spec in specs if spec.behavior.slow_seconds] == [2.0]
    assert any(spec.tags == {"env": "production", "team": "platform"} for spec in specs)
    shared = [spec for spec in specs if SHARED.items() <= spec.tags.items()]
    assert len(shared) == 6 and {spec.protocol for spec in shared} == {"MCP", "A2A"}
    # The second hub of the demo signs with a key that these runtimes need not trust, and none of them fails.
    assert not any(spec.authorizer or spec.failure_reason for spec in shared)


def test_healthy_seeds_are_neither_slow_nor_failed_nor_imperfect() -> None:
    specs = list(make_seeds(SeedOptions(healthy=True)))
    assert len(specs) == 12
    assert not any(spec.behavior.to_dict() or spec.failure_reason or BAD_TOOL in spec.tools for spec in specs)


def test_a_benchmark_gets_as_many_as_it_asks_for() -> None:
    specs = list(make_seeds(SeedOptions(mcp=500, a2a=500, tools=10)))
    assert Counter(spec.protocol for spec in specs) == {"MCP": 500, "A2A": 500}
    assert all(len(spec.tools) == 10 for spec in specs if spec.protocol == "MCP")
    assert not any(spec.authorizer or spec.behavior.to_dict() for spec in specs)


def test_every_nth_of_many_takes_jwt_where_asked() -> None:
    specs = list(make_seeds(SeedOptions(mcp=8, a2a=0, jwt_every=4)))
    assert [bool(spec.authorizer) for spec in specs] == [True, False, False, False] * 2


@pytest.mark.parametrize("count", [0, 5, 12, 300])
def test_names_are_unique_and_such_as_aws_takes(count: int) -> None:
    names = [spec.name for spec in make_seeds(SeedOptions(runtimes=count))]
    assert len(set(names)) == count
    assert all(re.fullmatch("[a-zA-Z][a-zA-Z0-9_]{0,47}", name) for name in names)


def test_the_runtimes_trust_the_hub_that_is_named() -> None:
    specs = make_seeds(SeedOptions(hub_url="http://127.0.0.1:9/"))
    urls = {str(spec.authorizer["customJWTAuthorizer"]["discoveryUrl"]) for spec in specs if spec.authorizer}  # type: ignore[index,call-overload]
    assert urls == {"http://127.0.0.1:9/.well-known/openid-configuration"}


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.slug)
@pytest.mark.parametrize("count", [1, 10, 40])
def test_tools_of_a_domain_have_different_names(domain: object, count: int) -> None:
    tools = make_tools(getattr(domain, "slug", ""), count)
    assert len({str(tool["name"]) for tool in tools}) == count
    assert all(tool["description"] for tool in tools)
