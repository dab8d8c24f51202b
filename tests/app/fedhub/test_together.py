"""Requests of one moment: one thread answers them in one call, and each caller gets its own answer."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from fedhub import together
from fedhub.together import Asked, Together
from fedhub.wsgi_bridge import Answer, Environ

SECONDS = 20.0


class Desk:
    """Answers each request with its path, but leaves `/other`; notes the groups, and waits at `gate` for each."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.after: list[int] = []
        self.gate = threading.Event()

    def __call__(self, asked: Sequence[Asked]) -> tuple[list[Answer | None], Callable[[], None] | None]:
        paths = [environ["PATH_INFO"] for environ, _ in asked]
        self.groups.append(paths)
        assert self.gate.wait(SECONDS)
        if "/broken" in paths:
            raise ZeroDivisionError
        for environ, _ in asked:
            environ["wsgi.input"].read()
            environ["PATH_INFO"] = "changed"
        answers = [None if path == "/other" else Answer(200, [], path.encode()) for path in paths]
        return answers, lambda: self.after.append(len(paths))


def environ(path: str) -> Environ:
    return {"PATH_INFO": path, "wsgi.input": io.BytesIO(b"body")}


async def until(probe: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not probe():  # noqa: ASYNC110 - what it waits for happens in another thread
            await asyncio.sleep(0.001)


def bodies(answers: Sequence[Answer | None]) -> list[str | None]:
    return [answer.body.decode() if answer else None for answer in answers]


def run(monkeypatch: pytest.MonkeyPatch, scenario: Callable[[Desk, Together], object], *, wait: float) -> Desk:
    monkeypatch.setattr(together, "WAIT_SECONDS", wait)
    desk = Desk()
    with ThreadPoolExecutor(1) as pool:
        desks = Together(desk, pool)
        asyncio.run(scenario(desk, desks))  # type: ignore[arg-type]
        desks.close()
    return desk


def test_a_lone_request_starts_at_once_and_those_that_come_meanwhile_share_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(desk: Desk, desks: Together) -> None:
        first = asyncio.create_task(desks.answer(environ("/1")))
        await until(lambda: desk.groups == [["/1"]])
        others = [asyncio.create_task(desks.answer(environ(f"/{number}"))) for number in range(2, 5)]
        await asyncio.sleep(0)
        desk.gate.set()
        assert bodies(await asyncio.gather(first, *others)) == ["/1", "/2", "/3", "/4"]
        await until(lambda: desk.after == [1, 3])

    assert run(monkeypatch, scenario, wait=SECONDS).groups == [["/1"], ["/2", "/3", "/4"]]


def test_after_many_answers_the_next_requests_wait_for_as_many_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(desk: Desk, desks: Together) -> None:
        desk.gate.set()
        desks._expected = 3
        three = [asyncio.create_task(desks.answer(environ(f"/{number}"))) for number in range(3)]
        assert bodies(await asyncio.gather(*three)) == ["/0", "/1", "/2"]
        # Fewer come again; they wait until the time is over, and a lone one does not wait after that.
        two = [asyncio.create_task(desks.answer(environ(f"/{number}"))) for number in range(3, 5)]
        await asyncio.gather(*two)
        desks._expected = 1
        await desks.answer(environ("/5"))

    assert run(monkeypatch, scenario, wait=0.05).groups == [["/0", "/1", "/2"], ["/3", "/4"], ["/5"]]


def test_a_request_that_is_left_has_its_body_and_environment_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(desk: Desk, desks: Together) -> None:
        desk.gate.set()
        left = environ("/other")
        assert await desks.answer(left) is None
        assert (left["PATH_INFO"], left["wsgi.input"].read()) == ("/other", b"body")

    run(monkeypatch, scenario, wait=0.0)


def test_no_call_has_more_requests_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST", 3)

    async def scenario(desk: Desk, desks: Together) -> None:
        asked = [asyncio.create_task(desks.answer(environ(f"/{number}"))) for number in range(8)]
        await until(lambda: len(desk.groups) == 1)
        desk.gate.set()
        assert bodies(await asyncio.gather(*asked)) == [f"/{number}" for number in range(8)]

    assert [len(group) for group in run(monkeypatch, scenario, wait=0.01).groups] == [1, 3, 3, 1]


def test_a_failure_reaches_its_callers_alone_and_a_caller_that_left_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(desk: Desk, desks: Together) -> None:
        gone = asyncio.create_task(desks.answer(environ("/1")))
        await until(lambda: len(desk.groups) == 1)
        broken = asyncio.create_task(desks.answer(environ("/broken")))
        await asyncio.sleep(0)
        gone.cancel()
        desk.gate.set()
        with pytest.raises(ZeroDivisionError):
            await broken
        assert bodies([await desks.answer(environ("/2"))]) == ["/2"]

    assert run(monkeypatch, scenario, wait=0.01).groups == [["/1"], ["/broken"], ["/2"]]
