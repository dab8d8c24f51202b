"""The package: every documented name in one place, without framework and network; only compat is not pure."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import peers.protocol

DOCUMENTED = [
    "AgentVisibility",
    "PeerRelationship",
    "TrustPolicy",
    "CallbackEventType",
    "DispatchStatus",
    "DelegationScope",
    "FederationPolicy",
    "FederationEnvelope",
    "FederationCallback",
    "FederationAttestation",
    "PeerInfo",
    "FederationManifest",
    "FederationStatus",
    "DispatchResult",
    "ReceiveResult",
    "FederatedAgent",
    "ServerIdentity",
    "TrustEnforcer",
    "UCANToken",
    "MessageSignature",
    "sign_envelope",
    "verify_envelope_signature",
    "resolve_did_web",
    "validate_ssrf",
    "canonical_bytes",
    "Federation",
    "on_federation_received",
    "on_federation_callback",
    "on_budget_warning",
]
PACKAGE = Path(peers.protocol.__file__).parent
# The modules of core that the protocol uses must be pure too.
GROUND = ["strict_json.py", "malformed_input.py", "net/addresses.py", "net/url_grammar.py", "net/ssrf.py"]
MODULES = sorted([*PACKAGE.glob("*.py"), *(PACKAGE.parents[1] / "core" / name for name in GROUND)])
IMPURE = {
    "os",
    "time",
    "secrets",
    "random",
    "socket",
    "pathlib",
    "tempfile",
    "io",
    "subprocess",
    "threading",
    "asyncio",
    "logging",
}
OUTSIDE = {"django", "rest_framework", "celery", "httpx", "httpx2", "requests", "urllib3", "boto3", "openintent"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_name_is_importable_from_one_place(name: str) -> None:
    assert name in peers.protocol.__all__
    assert hasattr(peers.protocol, name)


def test_importing_the_package_brings_in_no_framework_and_no_network() -> None:
    script = "import sys, peers.protocol; print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    root = PACKAGE.parents[1]
    loaded = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert not OUTSIDE & set(loaded.stdout.split())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_has_under_300_lines_and_says_its_purpose(module: Path) -> None:
    source = module.read_text()
    assert source.count("\n") < 300
    assert ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("module", [path for path in MODULES if path.stem != "compat"], ids=lambda path: path.stem)
def test_only_compat_reads_clock_randomness_and_files(module: Path) -> None:
    tree = ast.parse(module.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)
    }
    assert not imported & (IMPURE | OUTSIDE)
    assert not called & {"now", "utcnow", "today", "open", "generate", "print", "input", "getenv"}
