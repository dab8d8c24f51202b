"""Verifications per second, compared with raw PyNaCl on the same bytes in the same run.

Run it from the root of the checkout: `python -m benchmarks.protocol [--seconds 5]`. It writes the raw turns to
benchmarks/results/protocol.json. Each case and its raw counterpart run in short alternating turns, so that other load
on the machine slows both. The ratio is that of the medians. The ideal ratio is 1.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import nacl
from nacl.signing import VerifyKey

from peers.protocol import (
    DelegationScope,
    FederationEnvelope,
    ServerIdentity,
    canonical_bytes,
    sign_envelope,
    sign_request,
    verify_envelope,
    verify_envelope_signature,
    verify_request,
)
from peers.protocol.base_encodings import decode_base64
from peers.protocol.http_signatures import COMPONENTS
from peers.protocol.signature_base import HttpRequest, signature_base
from peers.protocol.signature_fields import parse_fields

RESULTS = Path(__file__).parent / "results" / "protocol.json"
TURN_CALLS = 200
AIM = 0.5
NOW = 1_750_000_000
SOURCE, TARGET = "https://hub.example.com", "https://partner.example.com"
TARGET_URI = f"{TARGET}/api/v1/federation/receive"

Case = tuple[Callable[[], object], Callable[[], object]]


def envelope_case(identity: ServerIdentity) -> dict[str, Case]:
    """Return the check of a signature and the full check, each with PyNaCl over the same canonical bytes."""
    envelope = FederationEnvelope(
        dispatch_id="5f0c6a52-8a55-4f3e-9a53-6a2d5f3f5d0e",
        source_server=SOURCE,
        target_server=TARGET,
        intent_id="intent-1",
        intent_title="Compare three suppliers",
        intent_description="Prices, delivery times and terms, as a table with sources.",
        intent_state={"suppliers": ["one", "two", "three"], "currency": "EUR"},
        delegation_scope=DelegationScope(),
        trace_context={"trace_id": "0af7651916cd43dd8448eb211c80319c"},
        created_at="2025-06-15T15:06:40+00:00",
    ).to_dict()
    signature = sign_envelope(identity, envelope)
    envelope["signature"] = signature
    signed, raw_signature = canonical_bytes(envelope), decode_base64(signature)
    raw_key, public_key = VerifyKey(identity.public_key_bytes or b""), identity.public_key_b64
    keys = identity.verification_keys

    def raw() -> object:
        return raw_key.verify(signed, raw_signature)

    return {
        "verify_envelope_signature": (lambda: verify_envelope_signature(public_key, envelope, signature), raw),
        "verify_envelope": (lambda: verify_envelope(envelope, keys=keys, target_server=TARGET, now=NOW), raw),
    }


def request_case(identity: ServerIdentity) -> dict[str, Case]:
    """Return the verification of a signed request, with PyNaCl over the same signature base."""
    body = json.dumps({"dispatch_id": "d-1", "intent_state": {"rows": list(range(100))}}).encode()
    headers = {"Host": "partner.example.com", "Accept": "application/json", "User-Agent": "hub"} | sign_request(
        identity.signing_key(),
        keyid=identity.did,
        method="POST",
        target_uri=TARGET_URI,
        body=body,
        created=NOW,
        nonce="benchmarkbenchmarkbenc",
    )
    signature_input, raw_signature = parse_fields(headers["Signature-Input"], headers["Signature"])
    assert signature_input.components == COMPONENTS
    base = signature_base(HttpRequest("POST", TARGET_URI, headers, body), signature_input)
    raw_key, keys = VerifyKey(identity.public_key_bytes or b""), identity.verification_keys

    def ours() -> object:
        return verify_request(
            method="POST", target_uri=TARGET_URI, headers=headers, body=body, resolve_keys=lambda _: keys, now=NOW
        )

    return {"verify_request (RFC 9421)": (ours, lambda: raw_key.verify(base, raw_signature))}


def seconds_for(call: Callable[[], object]) -> float:
    """Return the time of one turn, in seconds."""
    begin = time.perf_counter()
    for _ in range(TURN_CALLS):
        call()
    return time.perf_counter() - begin


def measure(case: Case, seconds: float) -> dict[str, object]:
    """Alternate for `seconds`. Return calls per second of both, their ratio, and the seconds of each turn."""
    ours, raw = case
    turns: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not turns:
        turns.append((seconds_for(ours), seconds_for(raw)))
    ours_median, raw_median = (statistics.median(column) for column in zip(*turns, strict=True))
    return {
        "per_second": round(TURN_CALLS / ours_median),
        "raw_per_second": round(TURN_CALLS / raw_median),
        "ratio": round(raw_median / ours_median, 3),
        "turn_calls": TURN_CALLS,
        "turns_seconds": [[round(value, 6) for value in turn] for turn in turns],
    }


def main() -> None:
    """Measure all cases, print a table and write the raw turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each case")
    seconds = parser.parse_args().seconds
    identity = ServerIdentity(SOURCE, private_key_bytes=bytes(range(32)))
    machine = {"python": platform.python_version(), "pynacl": nacl.__version__, "machine": platform.machine()}
    results: dict[str, dict[str, object]] = {}
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"{'case':<28}{'per second':>12}{'raw PyNaCl':>12}{'ratio':>8}{'aim':>6}")
    for name, case in (envelope_case(identity) | request_case(identity)).items():
        results[name] = measure(case, seconds)
        row = results[name]
        print(f"{name:<28}{row['per_second']:>12,}{row['raw_per_second']:>12,}{row['ratio']:>8}{AIM:>6}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
