"""The files of deploy/: each command, queue, setting and path in them is one that the hub has."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from celery.bin.beat import beat
from celery.bin.worker import worker
from django.conf import settings
from django.core.management import get_commands
from granian.cli import cli as granian

from tests.app.fedhub.test_settings_documented import documented_variables

DEPLOY = settings.BASE_DIR / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
FOREIGN = re.compile(r"(AWS|GRANIAN|PYTHON|COMPOSE|POSTGRES)_?[A-Z_]*|PATH|WEB_PROCESSES|PORT")
DATA_SERVICES = {"postgres", "redis", "weaviate", "mongodb"}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def kubernetes() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))


def containers() -> Iterator[dict[str, Any]]:
    for item in kubernetes():
        if item["kind"] in ("Deployment", "Job"):
            yield item["spec"]["template"]["spec"]["containers"][0]


def dockerfile() -> list[tuple[str, str]]:
    """Return each instruction of the Dockerfile with its argument."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, argument) for name, _, argument in lines]


def command_of_image() -> list[str]:
    (command,) = [argument for name, argument in dockerfile() if name == "CMD"]
    words: list[str] = yaml.safe_load(command)
    return words


def commands(source: str) -> list[list[str]]:
    """Return the words of each command of the hub in a file of deploy/, one list a command."""
    if source == "Procfile":
        texts = [line.partition(": ")[2] for line in (DEPLOY / "Procfile").read_text().splitlines()]
    elif source == "systemd":
        found = [re.findall(r"(?m)^Exec\w+=(.+)$", unit.read_text()) for unit in UNITS]
        texts = [text.replace("%%", "%") for unit in found for text in unit]
    elif source == "compose":
        texts = [
            service.get("command", shlex.join(command_of_image()))
            for name, service in compose()["services"].items()
            if name not in DATA_SERVICES
        ]
    else:
        texts = [shlex.join(container.get("args", command_of_image())) for container in containers()]
    return [shlex.split(part) for text in texts for part in plain(text).split(" && ")]


def plain(text: str) -> str:
    """Return the shell command within `sh -c`, without `exec`."""
    words = shlex.split(text)
    return (words[2] if words[:2] == ["sh", "-c"] else text).replace("exec ", "")


SOURCES = ("Procfile", "systemd", "compose", "kubernetes")


@pytest.mark.parametrize("source", SOURCES)
def test_each_command_is_one_that_runs(source: str) -> None:
    seen: list[str] = []
    queues: list[str] = []
    for program, *words in commands(source):
        seen.append(Path(program).name)
        if seen[-1] == "python":
            assert words[0] == "manage.py" and words[1] in get_commands()
        elif seen[-1] == "celery":
            assert words[:2] == ["-A", "fedhub"]
            seen[-1] = words[2]
            options = parse({"worker": worker, "beat": beat}[words[2]], words[3:])
            queues += options.get("queues") or []
        else:
            assert seen[-1] == "granian"
            options = parse(granian, [re.sub(r"\$\{PORT:-(\d+)\}", r"\1", word) for word in words])
            assert (options["app"], options["interface"]) == ("fedhub.asgi:application", "asgi")
    assert sorted(queues) == sorted(settings.FEDHUB_QUEUES)
    assert seen.count("beat") == 1 and seen.count("granian") == 1


def parse(command: click.Command, words: list[str]) -> dict[str, Any]:
    """Return the options that the program reads; raises click's error for an option that it does not have."""
    options, _, _ = command.make_parser(click.Context(command)).parse_args(list(words))
    queues = options.get("queues")
    return options | ({"queues": queues.split(",")} if isinstance(queues, str) else {})


def named_variables() -> set[str]:
    service = compose()["x-hub"]["environment"]
    named = {*service, *compose()["services"]["web"]["environment"]} - {"<<"}
    named |= set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    for path in DEPLOY.glob("*.env"):
        named |= set(re.findall(r"(?m)^([A-Z_]+)=", path.read_text()))
    named |= {name for unit in UNITS for name in re.findall(r"(?m)^Environment=([A-Z_]+)=", unit.read_text())}
    named |= {name for key, text in dockerfile() if key == "ENV" for name in re.findall(r"([A-Z_]+)=", text)}
    for item in kubernetes():
        named |= set(item["data"]) if item["kind"] == "ConfigMap" else set()
    return named | {each["name"] for container in containers() for each in container.get("env", [])}


def test_each_variable_is_a_setting_of_the_hub() -> None:
    known = documented_variables()
    secrets = {f"{name}_FILE" for name, is_secret in known.items() if is_secret}
    unknown = named_variables() - set(known) - secrets
    assert {name for name in unknown if not FOREIGN.fullmatch(name)} == set()


def test_the_image_holds_the_hub_and_runs_as_a_user_of_its_own() -> None:
    copied = [argument.split()[0] for name, argument in dockerfile() if name == "COPY" and "--from" not in argument]
    assert all((settings.BASE_DIR / source).exists() for source in copied)
    own = {
        app.partition(".")[0] for app in settings.INSTALLED_APPS if (settings.BASE_DIR / app.partition(".")[0]).is_dir()
    }
    assert own - {"sandbox"} <= set(copied) and "sandbox" not in copied and "requirements-dev.lock" not in copied
    assert [argument for name, argument in dockerfile() if name == "USER"] == ["10001:10001"]
    images = [argument.split()[0] for name, argument in dockerfile() if name == "FROM"]
    images += [service["image"] for service in compose()["services"].values() if "image" in service]
    assert len({image for image in images if image.startswith("python:")}) == 1
    # A host name has a dot or a port before the first slash.
    assert not [image for image in images if "/" in image and re.search(r"[.:]", image.partition("/")[0])]


def test_what_a_service_of_compose_names_is_there() -> None:
    file = compose()
    for service in file["services"].values():
        assert set(service.get("depends_on", ())) <= set(file["services"])
        assert set(service.get("secrets", ())) <= set(file["secrets"])
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert named <= set(file["volumes"])
    profiles = {profile for service in file["services"].values() for profile in service.get("profiles", ())}
    chosen = {
        profile
        for path in DEPLOY.glob("*.env")
        for text in re.findall(r"(?m)^COMPOSE_PROFILES=(.+)$", path.read_text())
        for profile in text.split(",")
    }
    assert profiles == chosen == {"postgres", "mongodb"}


def test_proxies_have_the_limits_of_the_hub() -> None:
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 1024 * 1024
    nginx, caddy = (DEPLOY / "nginx.conf").read_text(), (DEPLOY / "Caddyfile").read_text()
    assert "client_max_body_size 1m;" in nginx and "max_size 1MiB" in caddy
    assert f"client_body_timeout {settings.FEDHUB_BODY_SECONDS}s;" in nginx
    assert f"read_body {settings.FEDHUB_BODY_SECONDS}s" in caddy


def test_a_worker_has_more_time_to_stop_than_it_needs() -> None:
    texts = [unit.read_text() for unit in UNITS if " worker " in unit.read_text()]
    times = [int(found) for text in texts for found in re.findall(r"(?m)^TimeoutStopSec=(\d+)$", text)]
    times.append(int(compose()["x-hub"]["stop_grace_period"].removesuffix("s")))
    times += [
        item["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for item in kubernetes()
        if item["kind"] == "Deployment"
    ]
    assert len(times) >= 3 + 1 + 5 and min(times) > 30


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text().replace("/opt/fedhub/.venv/bin/python", shutil.which("true") or "")
        text = re.sub(r"/opt/fedhub/\.venv/bin/\w+", shutil.which("true") or "", text)
        # The user and the folder exist on a machine with a hub.
        (tmp_path / path.name).write_text(re.sub(r"(?m)^(User|Group|WorkingDirectory)=.*\n", "", text))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_takes_its_site(tmp_path: Path) -> None:
    # Without the certificate, which is on a machine with a hub.
    site = re.sub(r"(?m)^    ssl_certificate.*\n", "", (DEPLOY / "nginx.conf").read_text()).replace("443 ssl", "443")
    folders = "".join(
        f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = tmp_path / "main.conf"
    main.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off; {folders}\n{site}}}\n")
    done = subprocess.run(
        ["nginx", "-t", "-e", "stderr", "-c", str(main)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
