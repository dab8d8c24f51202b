"""Every code example of the documentation runs after only its import line is changed."""

import asyncio
import re
from types import SimpleNamespace

import pytest

from peers.protocol import AgentVisibility, ServerIdentity, TrustPolicy, federation_handlers
from tests.pure.protocol.vectors import VECTORS

TEXT = (VECTORS / "documented_examples.md").read_text()
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL))


def run(name: str, library: str = "peers.protocol") -> dict[str, object]:
    namespace: dict[str, object] = {}
    source = EXAMPLES[name].replace("from openintent.federation import", f"from {library} import")
    exec(compile(source, name, "exec"), namespace)  # the documentation's own code
    return namespace


def test_all_thirteen_examples_are_kept() -> None:
    assert len(EXAMPLES) == 13


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs_with_its_import_line_changed(name: str) -> None:
    assert run(name)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs_on_openintent_as_documented(name: str) -> None:
    assert run(name, "openintent.federation")


def test_the_identity_example_prints_the_documented_did(capsys: pytest.CaptureFixture[str]) -> None:
    identity = run("ServerIdentity")["identity"]
    assert isinstance(identity, ServerIdentity)
    assert capsys.readouterr().out == f"did:web:api.example.com\n{identity.public_key_b64}\n"


def test_the_did_example_gives_the_documented_url() -> None:
    assert run("resolve_did_web")["url"] == "https://api.example.com/.well-known/did.json"


def test_the_federation_example_sets_the_documented_attributes() -> None:
    hub_class = run("Federation")["MyFederationHub"]
    assert isinstance(hub_class, type)
    assert vars(hub_class)["_federation_configured"] is True
    assert vars(hub_class)["_federation_trust_policy_name"] == "allowlist"
    assert vars(hub_class)["_federation_visibility_default_name"] == "public"
    assert vars(hub_class)["_federation_peer_list"] == ["https://partner.example.com"]
    hub = vars(hub_class())
    assert isinstance(hub["_federation_identity"], ServerIdentity)
    assert hub["_federation_identity"].did == "did:web:api.example.com"
    assert hub["_federation_trust_policy"] is TrustPolicy.ALLOWLIST
    assert hub["_federation_visibility_default"] is AgentVisibility.PUBLIC
    assert hub["_federation_peers"] == ["https://partner.example.com"]
    assert hub["_federation_server_url"] == "https://api.example.com"


@pytest.mark.parametrize(
    ("name", "mark", "event", "printed"),
    [
        (
            "on_federation_received",
            "federation_received",
            SimpleNamespace(dispatch_id="d-1", source_server="https://a.example"),
            "Received dispatch d-1 from https://a.example\n",
        ),
        (
            "on_federation_callback",
            "federation_callback",
            SimpleNamespace(dispatch_id="d-1", event_type="completed"),
            "Callback for dispatch d-1: completed\n",
        ),
        ("on_budget_warning", "budget_warning", "90 %", "Budget warning: 90 %\n"),
    ],
)
def test_a_marked_handler_is_found_and_can_be_called(
    name: str, mark: str, event: object, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agent_class = run(name)["MyAgent"]
    assert isinstance(agent_class, type)
    handlers = federation_handlers(agent_class())
    assert list(handlers) == [mark]
    coroutine = handlers[mark](event)
    assert asyncio.iscoroutine(coroutine)
    asyncio.run(coroutine)
    assert capsys.readouterr().out == printed
