"""The file broker: a message is read once and whole, and its folders may be deleted at any time."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Consumer, Producer, Queue
from kombu.asynchronous import Hub

import fedhub  # noqa: F401 (registers the transport)
from core.jobs.file_broker import Channel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the messages."""
    return tmp_path / "broker" / "queue"


def open_channel(folder: Path) -> Any:
    """Return a channel of a connection of its own, as each process has."""
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "processed_folder": str(folder.parent / "taken"),
    }
    return Connection("filesystem://localhost", transport_options=options).channel()


def take_all(channel: Any) -> list[str]:
    """Return the bodies of all messages in the queue, in the order in which the channel gives them."""
    bodies = []
    while True:
        try:
            bodies.append(channel._get("q")["body"])
        except Empty:
            return bodies


def test_file_scheme_is_served_by_the_hubs_own_transport(folder: Path) -> None:
    assert isinstance(open_channel(folder), Channel)


def run_loop(connection: Connection, is_done: Callable[[], bool], seconds: float = 10) -> float:
    """Run an event loop as a worker does, until `is_done` or for at most `seconds`; return the seconds that it took."""
    hub = Hub()
    connection.register_with_event_loop(hub)
    started_at = time.monotonic()
    try:
        while not is_done() and time.monotonic() - started_at < seconds:
            hub.run_once()
    finally:
        hub.close()
    return time.monotonic() - started_at


def test_a_worker_takes_no_more_messages_than_it_has_processes_and_the_next_soon_after_one_ends(folder: Path) -> None:
    channel = open_channel(folder)
    channel.basic_qos(0, 2, False)
    taken: list[Any] = []
    with Consumer(channel, [Queue("q")], callbacks=[lambda _, message: taken.append(message)]):
        for number in range(4):
            Producer(channel).publish(str(number), routing_key="q")
        run_loop(channel.connection.client, lambda: len(taken) > 2, seconds=0.3)
        assert len(taken) == 2
        taken[0].ack()
        assert run_loop(channel.connection.client, lambda: len(taken) > 2) < 0.2
        for message in taken[1:]:
            message.ack()
        run_loop(channel.connection.client, lambda: len(taken) > 3)
        taken[3].ack()
    assert [message.payload for message in taken] == ["0", "1", "2", "3"]


def test_a_message_that_comes_while_a_worker_has_nothing_to_do_is_taken_at_once(folder: Path) -> None:
    channel = open_channel(folder)
    taken: list[Any] = []
    with Consumer(channel, [Queue("q")], callbacks=[lambda _, message: taken.append(message)]):
        run_loop(channel.connection.client, lambda: bool(taken), seconds=0.3)
        Producer(open_channel(folder)).publish("late", routing_key="q")
        assert run_loop(channel.connection.client, lambda: bool(taken)) < 0.2
        taken[0].ack()


def test_messages_are_taken_once_and_oldest_first(folder: Path) -> None:
    channel = open_channel(folder)
    for number in range(20):
        channel._put("q", {"body": str(number)})
    assert channel._size("q") == 20
    assert take_all(channel) == [str(number) for number in range(20)]
    assert [path for path in folder.parent.rglob("*") if path.is_file()] == []


def test_two_takers_never_get_the_same_message(folder: Path) -> None:
    channel = open_channel(folder)
    for number in range(200):
        channel._put("q", {"body": str(number)})
    with ThreadPoolExecutor(4) as executor:
        taken = list(executor.map(lambda _: take_all(open_channel(folder)), range(4)))
    assert sorted(body for part in taken for body in part) == sorted(str(number) for number in range(200))


def test_message_of_another_queue_is_left_alone(folder: Path) -> None:
    channel = open_channel(folder)
    channel._put("other", {"body": "x"})
    assert take_all(channel) == []
    assert channel._size("other") == 1


def test_unfinished_message_is_invisible(folder: Path) -> None:
    channel = open_channel(folder)
    channel._put("q", {"body": "whole"})
    (folder / "q" / ".00000000000000000001_draft.q.msg").write_text('{"bo', encoding="utf-8")
    assert take_all(channel) == ["whole"]


@pytest.mark.parametrize("content", ["", '{"bo', "\x00\x00"])
def test_file_without_a_message_is_left_out(folder: Path, content: str) -> None:
    channel = open_channel(folder)
    channel._put("q", {"body": "whole"})
    (folder / "q" / "00000000000000000001_torn.q.msg").write_text(content, encoding="utf-8")
    assert take_all(channel) == ["whole"]
    assert channel._size("q") == 0


def test_deleted_folders_come_back_with_the_next_message(folder: Path) -> None:
    channel = open_channel(folder)
    channel.queue_declare("q")
    channel._put("q", {"body": "lost"})
    shutil.rmtree(folder.parent)
    assert take_all(channel) == []
    assert channel._size("q") == 0
    channel.basic_publish(channel.prepare_message("later"), exchange="q", routing_key="q")
    assert channel._size("q") == 1


def fill(folder: Path, queue: str, number: int) -> None:
    """Let `number` messages wait in a queue, without the time that a channel needs to put each."""
    (folder / queue).mkdir(parents=True, exist_ok=True)
    for index in range(number):
        name = f"{index:020d}_{'0' * 32}.{queue}.msg"
        (folder / queue / name).write_text(f'{{"body": "{index}"}}', encoding="utf-8")


def median_of_takes(channel: Any, queue: str, number: int) -> float:
    """Return the median time of a take, in seconds."""
    times = []
    for _ in range(number):
        started_at = time.perf_counter()
        channel._get(queue)
        times.append(time.perf_counter() - started_at)
    return statistics.median(times)


def test_a_take_with_20_000_messages_waiting_is_under_2_ms(folder: Path) -> None:
    fill(folder, "q", 20_000)
    assert median_of_takes(open_channel(folder), "q", 200) < 0.002


def test_messages_of_other_queues_do_not_slow_a_take(folder: Path) -> None:
    fill(folder, "other", 20_000)
    channel = open_channel(folder)
    times = []
    for _ in range(50):
        channel._put("q", {"body": "x"})
        times.append(median_of_takes(channel, "q", 1))
        with pytest.raises(Empty):
            channel._get("q")
    assert statistics.median(times) < 0.002


def test_one_listing_of_the_folder_is_drained_before_the_next(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, "q", 300)
    channel = open_channel(folder)
    listings: list[str] = []
    names = channel._names

    def counted(queue: str) -> list[str]:
        listings.append(queue)
        found: list[str] = names(queue)
        return found

    monkeypatch.setattr(channel, "_names", counted)
    assert len(take_all(channel)) == 300
    assert len(listings) == 2


def test_a_message_that_comes_while_a_listing_is_drained_is_taken_after_it(folder: Path) -> None:
    channel = open_channel(folder)
    for number in range(3):
        channel._put("q", {"body": str(number)})
    first = channel._get("q")["body"]
    channel._put("q", {"body": "late"})
    assert [first, *take_all(channel)] == ["0", "1", "2", "late"]


def test_a_channel_whose_listing_others_have_taken_lists_again(folder: Path) -> None:
    fill(folder, "q", 20_000)
    slow, fast = open_channel(folder), open_channel(folder)
    slow._get("q")
    for name in sorted(fast._names("q"))[:19_000]:
        (folder / "q" / name).unlink()
    started_at = time.perf_counter()
    assert slow._get("q")["body"] == "19001"
    assert time.perf_counter() - started_at < 0.1


def test_purging_a_queue_leaves_the_others(folder: Path) -> None:
    channel = open_channel(folder)
    channel._put("q", {"body": "x"})
    channel._put("other", {"body": "y"})
    assert channel._purge("q") == 1
    assert (channel._size("q"), channel._size("other")) == (0, 1)
