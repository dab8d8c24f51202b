"""The stored vectors, and the fixed keys of the tests."""

from pathlib import Path

from peers.protocol import JsonObject, ServerIdentity, parse_json_object

VECTORS = Path(__file__).parents[2] / "vectors"
NOW = 1_750_000_000
HUB, PARTNER, STRANGER = "https://hub.example.com", "https://partner.example.com", "https://stranger.example.com"


def load(name: str) -> JsonObject:
    """Return the content of a vector file."""
    return parse_json_object((VECTORS / name).read_bytes())


def identity(server_url: str, number: int = 1) -> ServerIdentity:
    """Return the identity whose seed repeats the number 32 times."""
    return ServerIdentity(server_url, private_key_bytes=bytes([number]) * 32)


hub, partner, stranger = identity(HUB, 1), identity(PARTNER, 2), identity(STRANGER, 3)
