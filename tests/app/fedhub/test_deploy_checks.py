"""`check --deploy` names each setting that opens the hub, and none of the documented production settings."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = {
    "DEBUG": False,
    "SECRET_KEY": "kq" * 40,
    "FEDHUB_SERVER_URL": "https://hub.acme.example",
    "ALLOWED_HOSTS": ["hub.acme.example"],
    "FEDHUB_SECRETS_KEY": "zx" * 30,
    "FEDHUB_ASSUMABLE_ROLES": ["arn:aws:iam::*:role/fedhub-*"],
    "FEDHUB_TRUSTED_PROXIES": [ip_network("127.0.0.1")],
    "FEDHUB_ENABLED": True,
}


def found(settings: Settings, *, deploy: bool = True, **values: Any) -> set[str]:
    for name, value in (PRODUCTION | values).items():
        setattr(settings, name, value)
    messages = run_checks(tags=["security", "urls"], include_deployment_checks=deploy)
    assert all(message.hint for message in messages if str(message.id).startswith("fedhub."))
    return {str(message.id).removeprefix("fedhub.") for message in messages if str(message.id).startswith("fedhub.")}


def networks(*texts: str) -> list[Any]:
    return [ip_network(text) for text in texts]


def test_production_settings_are_not_warned_of(settings: Settings) -> None:
    assert found(settings) == set()


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("ALLOWED_HOSTS", ["*"], {"W010"}),
        ("ALLOWED_HOSTS", ["hub.acme.example", "*"], {"W010"}),
        ("ALLOWED_HOSTS", [".example"], {"W010"}),
        ("ALLOWED_HOSTS", [".acme.example"], set()),
        ("FEDHUB_ALLOWED_NETWORKS", networks("0.0.0.0/0"), {"W011", "W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("::/0"), {"W011", "W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("0.0.0.0/1", "128.0.0.0/1"), {"W011", "W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("8.8.8.8"), {"W011"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("10.0.0.0/7"), {"W011"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("192.168.0.0/15"), {"W011"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("2a00::/12"), {"W011"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("::ffff:0:0/96"), {"W011", "W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("::ffff:808:808"), {"W011"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("169.254.0.0/16"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("169.254.169.254"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("169.254.170.2"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("::ffff:169.254.169.254"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("100.64.0.0/10"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("168.63.129.16"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("192.0.0.0/24"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("fc00::/7"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("fe80::/10"), {"W012"}),
        ("FEDHUB_ALLOWED_NETWORKS", networks("127.0.0.0/8", "10.0.0.0/8", "fd12:3456::/32", "::1"), set()),
        ("FEDHUB_ASSUMABLE_ROLES", ["*"], {"W013"}),
        ("FEDHUB_ASSUMABLE_ROLES", ["arn:aws:iam::*:role/*"], {"W013"}),
        ("FEDHUB_ASSUMABLE_ROLES", ["arn:aws-cn:*"], {"W013"}),
        ("FEDHUB_ASSUMABLE_ROLES", ["arn:*:iam::*:role/fedhub-*", "a*"], {"W013"}),
        ("FEDHUB_ASSUMABLE_ROLES", ["arn:aws:iam::123456789012:role/*"], set()),
        ("FEDHUB_ASSUMABLE_ROLES", [], set()),
        ("FEDHUB_TRUST_POLICY", "open", {"W014"}),
        ("FEDHUB_TRUST_POLICY", "trustless", set()),
        ("FEDHUB_PUBLISH_PEERS", True, {"W015"}),
        ("FEDHUB_VISIBILITY_DEFAULT", "public", {"W016"}),
        ("FEDHUB_VISIBILITY_DEFAULT", "unlisted", set()),
        ("DEBUG", True, {"W003", "W017"}),
        ("FEDHUB_TRUSTED_PROXIES", [], {"W018"}),
        ("FEDHUB_TRUSTED_PROXIES", networks("0.0.0.0/0"), {"W019"}),
        ("FEDHUB_TRUSTED_PROXIES", networks("::/0"), {"W019"}),
        ("FEDHUB_TRUSTED_PROXIES", networks("0.0.0.0/1", "128.0.0.0/1"), {"W019"}),
        ("FEDHUB_TRUSTED_PROXIES", networks("::ffff:0:0/96"), {"W019"}),
        ("FEDHUB_TRUSTED_PROXIES", networks("127.0.0.1", "2000::/3"), {"W019"}),
        ("FEDHUB_TRUSTED_PROXIES", networks("10.0.0.0/8", "fc00::/7", "104.16.0.0/13", "2606:4700::/32"), set()),
        ("FEDHUB_PEER_REQUESTS_PER_MINUTE", 0, {"W020"}),
        ("FEDHUB_REFUSALS_PER_MINUTE", 0, {"W020"}),
        ("FEDHUB_A_FUTURE_LIMIT_PER_MINUTE", 0, {"W020"}),
        ("FEDHUB_REFUSALS_PER_MINUTE", 1, set()),
        ("FEDHUB_SHORTEST_SYNC_SECONDS", 299, {"E007"}),
        ("FEDHUB_SHORTEST_SYNC_SECONDS", 300, set()),
        ("FEDHUB_SERVER_URL", "http://hub.acme.example", {"W001"}),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else str(value)[:60],
)
def test_a_setting_that_opens_the_hub_is_warned_of(settings: Settings, name: str, value: Any, ids: set[str]) -> None:
    assert found(settings, **{name: value}) == ids


def test_settings_between_hubs_do_not_matter_while_the_protocol_is_off(settings: Settings) -> None:
    open_values: dict[str, Any] = {
        "FEDHUB_ALLOWED_NETWORKS": networks("0.0.0.0/0"),
        "FEDHUB_TRUST_POLICY": "open",
        "FEDHUB_PUBLISH_PEERS": True,
        "FEDHUB_VISIBILITY_DEFAULT": "public",
    }
    assert found(settings, FEDHUB_ENABLED=False, **open_values) == set()


def test_what_a_proxy_and_debug_open_is_warned_of_at_each_command(settings: Settings) -> None:
    assert found(settings, deploy=False, FEDHUB_TRUSTED_PROXIES=[], ALLOWED_HOSTS=["*"]) == {"W018"}
    assert found(settings, deploy=False, DEBUG=True) == {"W003", "W017"}


def test_the_environment_of_the_readme_is_not_warned_of(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Deployment")[2]
    words = [word for line in re.findall(r"(?m)^export (.*)$", section) for word in shlex.split(line)]
    documented = dict(word.split("=", 1) for word in words)
    for name in [name for name in documented if name.endswith("_FILE")]:
        (tmp_path / name).write_text(secrets.token_urlsafe(64))
        documented[name] = str(tmp_path / name)
    assert {"SECRET_KEY_FILE", "FEDHUB_SERVER_URL", "ALLOWED_HOSTS"} <= set(documented)
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environ |= documented | {"FEDHUB_VAR_DIR": str(tmp_path / "var")}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("System check identified no issues")
