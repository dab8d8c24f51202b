"""Photograph every page of the admin and the API: `python -m tests.browser.screenshots` (`make screenshots`).

Each page is taken in light, in dark and on a phone, once with the data of the demo and once with those of
`manage.py seed_volume`. The pictures and a contact sheet lie in the folder screenshots/, which git ignores.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "screenshots"
README_FOLDER = ROOT / "docs" / "images"
DATA = ("demo", "volume")
MODES = ("light", "dark", "phone")
DESKTOP, PHONE = (1440, 900), (390, 844)
# A list of 50 rows is longer; the part below looks like the part above.
MOST_PIXELS = 3_000
MINUTES = 10
README_BYTES = 200_000
SET_THEME = "theme => { if (window.Alpine) Alpine.$data(document.documentElement).adminTheme = theme; }"
STYLE = """
body { font-family: sans-serif; background: #eee }
section { margin: 1rem }
h2 { font-size: 1rem }
img { height: 24rem; max-width: 40rem; margin-right: .5rem; border: 1px solid #999; object-fit: cover;
  object-position: top }
"""
# A color in transition is none of the page's colors.
STILL = "* { transition: none !important; animation: none !important; }"


@dataclass(frozen=True, slots=True)
class Shot:
    """A page to photograph: its address, and its name in the sheet and the names of files."""

    path: str
    name: str

    @property
    def file_name(self) -> str:
        """Return the beginning of the names of the page's pictures."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-") or "page"


def main() -> int:
    """Take the pictures of each set of data in a process of its own; return the worst exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", choices=DATA, action="append", help="only with these data")
    parser.add_argument("--only", default="", metavar="TEXT", help="only pages with this text in their name")
    parser.add_argument("--readme", action="store_true", help="write the pictures of the README to docs/images")
    parser.add_argument("--child", choices=DATA, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return _take(options.child, options.only, is_for_readme=options.readme)
    chosen = ["volume"] if options.readme else options.data or DATA
    code = max(_run_child(data, sys.argv[1:]) for data in chosen)
    if not options.readme:
        print(f"The contact sheet: {_write_sheet()}")
    return code


def _run_child(data: str, arguments: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="fedhub-screenshots-") as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        unset = ("DATABASE_URL", "MONGODB_URI", "WEAVIATE_URL", "SEARCH_PATH", "CELERY_BROKER_URL")
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        environment |= {
            "FEDHUB_VAR_DIR": folder,
            "FEDHUB_SERVER_URL": f"http://127.0.0.1:{port}",
            "FEDHUB_ENABLED": "true",
            "FEDHUB_ALLOWED_NETWORKS": "127.0.0.0/8",
            "DJANGO_SETTINGS_MODULE": "fedhub.settings",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
            "LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "tests.browser.screenshots", *arguments, "--child", data]
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


def _take(data: str, only: str, *, is_for_readme: bool) -> int:
    """Fill a hub, serve it and photograph its pages."""
    import django

    django.setup()
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, CHROMIUM

    if not CHROMIUM:
        print("No Chromium found. Install it, for example: apt install chromium", file=sys.stderr)
        return 1
    print(f"{data}: filling a hub")
    cookie = _fill(data)
    wanted = _readme_shots() if is_for_readme else [shot for shot in _shots() if only in shot.name]
    with (
        _served(),
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) as browser,
    ):
        context = browser.new_context(base_url=os.environ["FEDHUB_SERVER_URL"])
        context.set_default_timeout(20_000)
        context.add_cookies([{**cookie, "url": os.environ["FEDHUB_SERVER_URL"]}])  # type: ignore[typeddict-item]
        page = context.new_page()
        return _write_readme_pictures(page, wanted) if is_for_readme else _photograph(page, wanted, data)


def _fill(data: str) -> dict[str, str]:
    """Fill the hub, and return the cookie of a session of a superuser."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    if data == "volume":
        call_command("seed_volume", verbosity=0)
    else:
        _fill_as_demo()
    user = User.objects.create_superuser("operator")
    client = Client()
    client.force_login(user)
    return {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}


def _fill_as_demo() -> None:
    """Prepare the hub as the demo does, and sync its federation with the runtimes of a sandbox."""
    from core.actors import Actor
    from federations.models import Federation
    from federations.services.run import run_sync
    from federations.services.start import start_sync
    from sandbox.demo.prepare_hub import prepare
    from tests.sandbox_server import start_sandbox

    with start_sandbox(runtimes=12, hub_url=os.environ["FEDHUB_SERVER_URL"]) as sandbox:
        os.environ |= sandbox.environment
        folder = Path(os.environ["FEDHUB_VAR_DIR"])
        prepared = prepare(folder / "demo", {}, other_url="http://127.0.0.1:8001")
        federation = Federation.objects.get(pk=prepared.federation_id)
        run_sync(start_sync(federation, by=Actor("", "demo"), reason="first import").id)


def _shots() -> list[Shot]:
    from tests.browser.rows import addresses, api_addresses, page_name

    paths = dict.fromkeys([*addresses(), *api_addresses(), "/api/docs/"])
    return [Shot(path, page_name(path)) for path in paths]


def _readme_shots() -> list[Shot]:
    from federations.models import A2aAgent, StoredPlan
    from tests.browser.rows import address, example

    rows = [("plan", StoredPlan), ("agent", A2aAgent)]
    return [Shot("/admin/", "dashboard"), *(Shot(address(kind, "change", example(kind)), name) for name, kind in rows)]


@contextmanager
def _served() -> Iterator[None]:
    """Serve the hub with the web process of the demo."""
    from urllib.parse import urlsplit

    from sandbox.demo.child_processes import start, stop
    from sandbox.demo.health_checks import answers, wait_until
    from sandbox.demo.hub_commands import web_command

    url = os.environ["FEDHUB_SERVER_URL"]
    port = urlsplit(url).port or 0
    child = start(web_command("web", port=port), environ=os.environ, log_folder=Path(os.environ["FEDHUB_VAR_DIR"]))
    try:
        wait_until(lambda: answers(f"{url}/healthz"), child, watched=[child])
        yield
    finally:
        stop([child])


def _photograph(page: Any, shots: Sequence[Shot], data: str) -> int:
    """Write the pictures of each page; return 1 if a page failed or the time ended."""
    folder = FOLDER / data
    folder.mkdir(parents=True, exist_ok=True)
    code, deadline = 0, time.monotonic() + MINUTES * 60
    for number, shot in enumerate(shots, start=1):
        if time.monotonic() > deadline:
            print(f"{data}: stopped after {MINUTES} minutes; {len(shots) - number + 1} pages are missing")
            return 1
        began = time.monotonic()
        try:
            response = page.goto(shot.path, wait_until="load")
            status = response.status if response else 0
            for mode in MODES:
                _set_mode(page, mode)
                _show_whole(page)
                page.screenshot(path=folder / f"{shot.file_name}.{mode}.png")
            note = f"{time.monotonic() - began:.1f} s" if status < 400 else f"status {status}"
        except Exception as error:  # noqa: BLE001 (the other pages are still worth their pictures)
            note = str(error).partition("\n")[0]
        code = code if note.endswith(" s") else 1
        print(f"{data} {number:3}/{len(shots)} {shot.name}: {note}", flush=True)
    return code


def _set_mode(page: Any, mode: str) -> None:
    width, height = PHONE if mode == "phone" else DESKTOP
    theme = "dark" if mode == "dark" else "light"
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    page.add_style_tag(content=STILL)
    page.evaluate(SET_THEME, theme)


def _show_whole(page: Any) -> None:
    """Make the window as high as the page, at most `MOST_PIXELS`: bars that stay in sight cover no row then."""
    size = page.viewport_size
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": min(max(height, size["height"]), MOST_PIXELS)})


def _write_readme_pictures(page: Any, shots: Sequence[Shot]) -> int:
    """Write the three pictures of the README as PNG; return 1 if one is larger than it may be."""
    README_FOLDER.mkdir(parents=True, exist_ok=True)
    code = 0
    for shot in shots:
        page.goto(shot.path, wait_until="load")
        _set_mode(page, "light")
        path = README_FOLDER / f"{shot.name}.png"
        page.screenshot(path=path)
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size:,} bytes")
        if size > README_BYTES:
            print(f"{path.name} is larger than {README_BYTES:,} bytes", file=sys.stderr)
            code = 1
    return code


def _write_sheet() -> Path:
    """Write the contact sheet of all pictures that the folder holds, and return its path."""
    rows = []
    for folder in (FOLDER / data for data in DATA):
        names = sorted({path.name.partition(".")[0] for path in folder.glob("*.png")})
        for name in names:
            files = [f"{folder.name}/{name}.{mode}.png" for mode in MODES if (folder / f"{name}.{mode}.png").exists()]
            pictures = "".join(
                f'<a href="{escape(file)}"><img loading="lazy" src="{escape(file)}"></a>' for file in files
            )
            rows.append(f"<section><h2>{escape(folder.name)}: {escape(name)}</h2>{pictures}</section>")
    sheet = FOLDER / "index.html"
    sheet.parent.mkdir(exist_ok=True)
    text = (
        f'<!doctype html><meta charset="utf-8"><title>fedhub: every page</title><style>{STYLE}</style>{"".join(rows)}'
    )
    sheet.write_text(text, encoding="utf-8")
    return sheet


if __name__ == "__main__":
    sys.exit(main())
