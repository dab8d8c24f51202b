"""The command line of the sandbox, shared by `manage.py sandbox` and `python -m sandbox`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from core.strict_json import Json, JsonObject
from sandbox.client import DEFAULT_URL, SandboxClient
from sandbox.loopback_port import listen
from sandbox.runtime_kinds import Kind, runtime_kinds

ACTIONS = ("serve", "list", "add", "update", "remove", "calls")
_ADDED_PROTOCOLS = ("MCP", "A2A", "HTTP", "AGUI")
# The default issuer of a sandbox that runs alone and of kinds with an authorizer.
_HUB_URL = "http://127.0.0.1:8000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sandbox's actions (such as serve, list, add) and their options."""
    parser.add_argument("action", nargs="?", default="serve", choices=ACTIONS, help="the action (default: serve)")
    parser.add_argument("name", nargs="?", help="add, update, remove: the runtime's name or id")
    serving = parser.add_argument_group("serve")
    serving.add_argument("--port", type=int, default=4566, help="loopback port, 0 for a free one (default: 4566)")
    serving.add_argument("--runtimes", type=int, default=12, help="the number of mixed runtimes (default: 12)")
    serving.add_argument("--mcp", type=int, default=0, help="the number of MCP servers, instead of the mix")
    serving.add_argument("--a2a", type=int, default=0, help="the number of A2A agents, instead of the mix")
    serving.add_argument("--jwt-every", type=int, default=0, help="with --mcp or --a2a: each n-th one requires a JWT")
    serving.add_argument("--healthy", action="store_true", help="without slow, failed and imperfect runtimes")
    serving.add_argument("--latency-ms", type=float, default=0.0, help="the delay of every AWS and runtime call")
    serving.add_argument("--hub-url", default=_HUB_URL, help="the OIDC issuer that JWT runtimes trust")
    serving.add_argument(
        "--saved-changes", type=Path, metavar="FILE", help="save changes in FILE, and make them again at the next start"
    )
    changing = parser.add_argument_group("list, add, update, remove, calls")
    changing.add_argument(
        "--url", default=os.environ.get("FEDHUB_SANDBOX_URL", DEFAULT_URL), help="the URL of a running sandbox"
    )
    changing.add_argument("--protocol", choices=_ADDED_PROTOCOLS, help="the protocol of the runtime")
    changing.add_argument("--kind", help="add: a kind of runtime, such as modern or bad_tool; see docs/sandbox.md")
    changing.add_argument("--description", help="the description of the runtime")
    changing.add_argument("--tag", action="append", metavar="KEY=VALUE", help="an AWS tag; may be repeated")
    changing.add_argument("--touch", action="store_true", help="change lastUpdatedAt, keep the version")
    changing.add_argument("--slow", type=float, metavar="SECONDS", help="delay the answers of the runtime")
    changing.add_argument("--broken", choices=("yes", "no"), help="make the runtime fail, or answer again")
    parser.add_argument("--tools", type=int, help="the number of tools or skills of a runtime (default: 5)")


def run(options: argparse.Namespace, write: Callable[[str], None]) -> None:
    """Run the action that the parsed `options` name; `write` gets each text that the action prints.

    Raises SandboxClientError, PortTakenError, and ValueError if options contradict each other or if the packages of
    the sandbox are not installed.
    """
    if options.action == "serve":
        _serve(options, write)
        return
    if options.action in ("add", "update", "remove") and not options.name:
        raise ValueError(f"sandbox {options.action} needs the name of a runtime")
    with SandboxClient(options.url) as client:
        write(_ACTIONS[options.action](client, options))


def _serve(options: argparse.Namespace, write: Callable[[str], None]) -> None:
    if find_spec("moto") is None:
        raise ValueError("The sandbox needs packages that a production install lacks: run make install.")
    listener = listen(options.port)
    # The import of moto takes a second, so it comes after the check of the port, and in no other action.
    from sandbox.runtime_seeds import SeedOptions
    from sandbox.server import ServeOptions, serve

    seeds = SeedOptions(
        runtimes=options.runtimes,
        mcp=options.mcp,
        a2a=options.a2a,
        tools=5 if options.tools is None else options.tools,
        healthy=options.healthy,
        jwt_every=options.jwt_every,
        hub_url=options.hub_url,
    )
    serve(
        listener,
        ServeOptions(latency_ms=options.latency_ms, seeds=seeds, saved_changes_path=options.saved_changes),
        write,
    )


def _list(client: SandboxClient, options: argparse.Namespace) -> str:
    runtimes = client.runtimes()
    width = max((len(str(runtime["name"])) for runtime in runtimes), default=4)
    lines = [f"{'NAME':{width}}  PROTOCOL  VERSION  AUTH  ITEMS  TAGS"]
    lines += [_line(runtime, width) for runtime in runtimes]
    return "\n".join(lines)


def _line(runtime: JsonObject, width: int = 0) -> str:
    tags, behavior = runtime["tags"], runtime["behavior"]
    items = [*_list_of(runtime["tools"]), *_list_of(runtime["skills"])]
    auth = "jwt" if runtime["authorizer"] else "iam"
    notes = [f"{key}={value}" for key, value in tags.items()] if isinstance(tags, dict) else []
    notes += [] if runtime["status"] == "READY" else [f"(status: {runtime['status']})"]
    notes += [f"({key}: {value})" for key, value in behavior.items()] if isinstance(behavior, dict) else []
    name, protocol, version = runtime["name"], runtime["protocol"], runtime["version"]
    return f"{name:{width}}  {protocol:8}  {version:>7}  {auth:4}  {len(items):5}  {' '.join(notes)}".rstrip()


def _list_of(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _add(client: SandboxClient, options: argparse.Namespace) -> str:
    kinds = runtime_kinds(options.hub_url)
    if options.kind is not None and options.kind not in kinds:
        raise ValueError(f"--kind must be one of {', '.join(kinds)}")
    kind = kinds[options.kind] if options.kind else Kind(options.protocol or "MCP", {})
    runtime = client.add(options.name, kind.protocol, **{**kind.fields, **_changes(options, kind.protocol)})
    return f"added   {_line(runtime)}\n        {runtime['arn']}"


def _update(client: SandboxClient, options: argparse.Namespace) -> str:
    before = client.get(options.name)
    changes = _changes(options, options.protocol or str(before["protocol"]))
    if options.protocol:
        changes["protocol"] = options.protocol
    after = client.patch(options.name, **changes)
    return f"updated {_line(after)}\n        version {before['version']} -> {after['version']}"


def _remove(client: SandboxClient, options: argparse.Namespace) -> str:
    return f"removed {_line(client.remove(options.name))}"


def _calls(client: SandboxClient, options: argparse.Namespace) -> str:
    counts = client.counts()
    return "\n".join(f"{count:8}  {operation}" for operation, count in counts.items()) or "no calls yet"


def _changes(options: argparse.Namespace, protocol: str) -> dict[str, Json]:
    """Return the body of the admin API's request that the options of add and update describe."""
    changes: dict[str, Json] = {}
    if options.description is not None:
        changes["description"] = options.description
    if options.tools is not None:
        changes["skills" if protocol == "A2A" else "tools"] = options.tools
    if options.tag:
        if not all("=" in tag for tag in options.tag):
            raise ValueError("--tag must be KEY=VALUE")
        changes["tags"] = dict(tag.split("=", 1) for tag in options.tag)
    if options.touch:
        changes["touch"] = True
    behavior: dict[str, Json] = {}
    if options.slow is not None:
        behavior["slowSeconds"] = options.slow
    if options.broken is not None:
        behavior["broken"] = options.broken == "yes"
    return {**changes, "behavior": behavior} if behavior else changes


_ACTIONS: dict[str, Callable[[SandboxClient, argparse.Namespace], str]] = {
    "list": _list,
    "add": _add,
    "update": _update,
    "remove": _remove,
    "calls": _calls,
}
