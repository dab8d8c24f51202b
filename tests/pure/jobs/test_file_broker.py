"""The file broker: a message is read once and whole, and its folders may be deleted at any time."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection, Queue

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


def test_a_reader_of_an_empty_queue_looks_up_often_enough_to_be_stopped(folder: Path) -> None:
    channel = open_channel(folder)
    connection = channel.connection.client
    with connection.Consumer(Queue("q", channel=channel), callbacks=[print]), pytest.raises(TimeoutError):
        started_at = time.monotonic()
        connection.drain_events(timeout=30)
    assert time.monotonic() - started_at < 10


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
    (folder / ".00000000000000000001_draft.q.msg").write_text('{"bo', encoding="utf-8")
    assert take_all(channel) == ["whole"]


@pytest.mark.parametrize("content", ["", '{"bo', "\x00\x00"])
def test_file_without_a_message_is_left_out(folder: Path, content: str) -> None:
    channel = open_channel(folder)
    channel._put("q", {"body": "whole"})
    (folder / "00000000000000000001_torn.q.msg").write_text(content, encoding="utf-8")
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
