"""@Federation on classes and instances, and the marks of handlers."""

import inspect
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from peers.protocol import (
    AgentVisibility,
    Federation,
    InvalidIdentifier,
    InvalidKey,
    ServerIdentity,
    TrustPolicy,
    federation_handlers,
    on_budget_warning,
    on_federation_callback,
    on_federation_received,
)
from tests.pure.protocol.vectors import HUB, PARTNER, hub


@dataclass
class Server:
    """A server object like OpenIntent's, with a config and an app."""

    config: object
    app: object = field(default_factory=SimpleNamespace)


def attributes(instance: object) -> dict[str, object]:
    """Return the attributes that the decorator set on an instance, by the documented names."""
    return {name: value for name, value in vars(instance).items() if name.startswith("_federation")}


def identity_of(instance: object) -> ServerIdentity:
    """Return the instance's identity."""
    identity = attributes(instance)["_federation_identity"]
    assert isinstance(identity, ServerIdentity)
    return identity


def test_the_defaults_are_the_documented_ones() -> None:
    @Federation(server_url=HUB)
    class Hub:
        pass

    instance = attributes(Hub())
    assert instance["_federation_trust_policy"] is TrustPolicy.ALLOWLIST
    assert instance["_federation_visibility_default"] is AgentVisibility.PUBLIC
    assert instance["_federation_peers"] == []
    assert instance["_federation_server_url"] == HUB
    assert vars(Hub)["_federation_peer_list"] == []


def test_all_settings_arrive_on_the_class_and_on_its_instances() -> None:
    @Federation(
        server_url=HUB,
        trust_policy="open",
        visibility_default="unlisted",
        peers=[PARTNER],
        identity="did:web:x.example",
    )
    class Hub:
        pass

    assert vars(Hub)["_federation_configured"] is True
    assert vars(Hub)["_federation_trust_policy_name"] == "open"
    assert vars(Hub)["_federation_visibility_default_name"] == "unlisted"
    assert vars(Hub)["_federation_peer_list"] == [PARTNER]
    instance = attributes(Hub())
    assert instance["_federation_trust_policy"] is TrustPolicy.OPEN
    assert instance["_federation_visibility_default"] is AgentVisibility.UNLISTED
    assert instance["_federation_peers"] == [PARTNER]
    assert identity_of(Hub()).did == "did:web:x.example"
    assert identity_of(Hub()).server_url == HUB


def test_each_instance_makes_its_own_key_unless_a_file_names_one(tmp_path: Path) -> None:
    hub.save_key(tmp_path / "key")

    @Federation(server_url=HUB)
    class Fresh:
        pass

    @Federation(server_url=HUB, key_path=str(tmp_path / "key"))
    class Kept:
        pass

    assert identity_of(Fresh()).public_key_b64 != identity_of(Fresh()).public_key_b64
    assert identity_of(Kept()).public_key_b64 == identity_of(Kept()).public_key_b64 == hub.public_key_b64


@pytest.mark.parametrize(
    ("config", "url", "did"),
    [
        (SimpleNamespace(host="localhost", port=8001), "http://localhost:8001", "did:web:localhost%3A8001"),
        (SimpleNamespace(host="hub.example.com", port=80), "http://hub.example.com:80", "did:web:hub.example.com"),
        (SimpleNamespace(host="::1", port=8001), "http://[::1]:8001", "did:web:%5B%3A%3A1%5D%3A8001"),
        (SimpleNamespace(host="hub.example.com", port=None), "http://hub.example.com", "did:web:hub.example.com"),
        (SimpleNamespace(server_url=HUB + "/", host="0.0.0.0", port=8000), HUB, "did:web:hub.example.com"),
        (SimpleNamespace(server_url=None, host="localhost", port=1), "http://localhost:1", "did:web:localhost%3A1"),
    ],
)
def test_a_server_object_gives_the_url_before_server_url(config: object, url: str, did: str) -> None:
    server = Server(config)

    @Federation(server=server, server_url="https://ignored.example.com")
    class Hub:
        pass

    instance = Hub()
    assert attributes(instance)["_federation_server_url"] == url
    assert attributes(instance)["_federation_server"] is server
    assert identity_of(instance).did == did


def test_the_class_keeps_its_own_constructor_and_nature() -> None:
    @Federation(server_url=HUB)
    class Hub:
        """A hub."""

        def __init__(self, name: str, *, size: int = 1) -> None:
            self.name, self.size = name, size

    instance = Hub("x", size=2)
    assert (instance.name, instance.size) == ("x", 2)
    assert identity_of(instance).did == hub.did
    assert (Hub.__name__, Hub.__doc__) == ("Hub", "A hub.")
    assert list(inspect.signature(Hub).parameters) == ["name", "size"]
    with pytest.raises(TypeError):
        Hub()  # type: ignore[call-arg]


def test_a_class_without_a_constructor_takes_no_arguments() -> None:
    @Federation(server_url=HUB)
    class Hub:
        pass

    with pytest.raises(TypeError):
        Hub("x")  # type: ignore[call-arg]


def test_subclasses_are_configured_too() -> None:
    @Federation(server_url=HUB)
    class Hub:
        pass

    class Special(Hub):
        def __init__(self) -> None:
            super().__init__()
            self.special = True

    assert identity_of(Special()).did == hub.did


def test_the_lists_of_peers_are_not_shared() -> None:
    peers = [PARTNER]

    @Federation(server_url=HUB, peers=peers)
    class Hub:
        pass

    first, second = attributes(Hub())["_federation_peers"], attributes(Hub())["_federation_peers"]
    assert isinstance(first, list)
    first.append("x")
    assert second == [PARTNER]
    assert vars(Hub)["_federation_peer_list"] == peers == [PARTNER]


@pytest.mark.parametrize("setting", [{"trust_policy": "maybe"}, {"visibility_default": "secret"}])
def test_an_unknown_policy_or_visibility_is_refused_when_decorating(setting: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"maybe|secret"):
        Federation(server_url=HUB, **setting)  # type: ignore[arg-type]


def test_an_instance_without_any_url_is_refused_unless_its_did_is_given() -> None:
    @Federation()
    class Nowhere:
        pass

    @Federation(identity=hub.did)
    class Named:
        pass

    with pytest.raises(InvalidIdentifier):
        Nowhere()
    assert identity_of(Named()).did == hub.did


def test_a_bad_key_file_is_refused_and_a_missing_one_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("-----BEGIN PRIVATE KEY-----")

    @Federation(server_url=HUB, key_path=str(tmp_path / "pem"))
    class Pem:
        pass

    @Federation(server_url=HUB, key_path=str(tmp_path / "missing"))
    class Missing:
        pass

    with pytest.raises(InvalidKey, match="PEM"):
        Pem()
    with pytest.raises(FileNotFoundError):
        Missing()


class Agent:
    """An agent with all three handlers, and a method that is not a handler."""

    @on_federation_received
    def received(self, envelope: object) -> tuple[str, object]:
        return "received", envelope

    @on_federation_callback
    def called_back(self, callback: object) -> tuple[str, object]:
        return "callback", callback

    @on_budget_warning
    async def warned(self, warning: object) -> None:
        raise AssertionError(warning)

    def other(self) -> None:
        raise AssertionError


def test_marks_are_the_documented_attribute() -> None:
    marks = {name: getattr(method, "_openintent_handler", None) for name, method in inspect.getmembers(Agent)}
    assert marks["received"] == "federation_received"
    assert marks["called_back"] == "federation_callback"
    assert marks["warned"] == "budget_warning"
    assert marks["other"] is None


def test_handlers_are_found_bound_and_can_be_called() -> None:
    handlers = federation_handlers(Agent())
    assert set(handlers) == {"federation_received", "federation_callback", "budget_warning"}
    assert handlers["federation_received"]("e") == ("received", "e")
    assert handlers["federation_callback"]("c") == ("callback", "c")


def test_a_subclass_inherits_marked_handlers_and_an_unmarked_override_is_none() -> None:
    class Inherits(Agent):
        pass

    class Overrides(Agent):
        def received(self, envelope: object) -> tuple[str, object]:
            return "never", envelope

    assert "federation_received" in federation_handlers(Inherits())
    assert "federation_received" not in federation_handlers(Overrides())


def test_an_object_without_handlers_has_none() -> None:
    assert federation_handlers(object()) == {}
