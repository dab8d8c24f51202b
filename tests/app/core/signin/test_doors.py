"""Guessing of passwords and client secrets, at every door."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.live_server_helper import LiveServer

from core.signin.models import SigninRecord
from core.signin.tasks import forget
from tests.app.core.signin.conftest import (
    ADMIN_LOGIN,
    DOORS,
    PASSWORD,
    SECRET,
    TOKEN,
    WRONG,
    Clock,
    Door,
    basic,
    every_door,
)

pytestmark = pytest.mark.django_db
HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"


def attack(door: Door, *, addresses: int, name: str = "robot") -> list[int]:
    """Fail ten times at each of many addresses; return the statuses."""
    return [
        door.enter(name, WRONG, f"10.0.{number // 250}.{number % 250}").status_code
        for number in range(addresses)
        for _ in range(10)
    ]


@every_door
def test_the_eleventh_failure_of_an_address_is_429_and_the_right_secret_too(
    robot: User, clock: Clock, door: Door
) -> None:
    statuses = [door.enter("robot", WRONG, HERE).status_code for _ in range(40)]
    assert statuses == [door.wrong_status] * 10 + [429] * 30
    refused = door.enter("robot", door.right, HERE)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert door.enter("robot", door.right, ELSEWHERE).status_code == door.right_status
    clock.wait(60)
    assert door.enter("robot", door.right, HERE).status_code == door.right_status


@every_door
def test_the_limit_of_an_address_holds_whatever_the_names(robot: User, clock: Clock, door: Door) -> None:
    if door.name == "one's own password":
        pytest.skip("the name is the signed-in person's")
    statuses = [door.enter(f"name-{turn}", WRONG, HERE).status_code for turn in range(12)]
    assert statuses == [door.wrong_status] * 10 + [429] * 2
    assert door.enter("robot", door.right, HERE).status_code == 429


@every_door
def test_a_name_has_thirty_failures_over_all_addresses(robot: User, clock: Clock, door: Door) -> None:
    assert attack(door, addresses=5) == [door.wrong_status] * 30 + [429] * 20
    refused = door.enter("robot", door.right, HERE)
    assert (refused.status_code, refused["Retry-After"]) == (429, "30")
    clock.wait(30)
    assert door.enter("robot", door.right, HERE).status_code == door.right_status


@every_door
def test_a_known_address_is_never_refused_for_the_failures_of_others(robot: User, clock: Clock, door: Door) -> None:
    assert door.enter("robot", door.right, HERE).status_code == door.right_status
    for _ in range(2):
        attack(door, addresses=4)
        assert door.enter("robot", door.right, HERE).status_code == door.right_status
        clock.wait(3600)
    # Others at the same address, as behind one router.
    for turn in range(20):
        TOKEN.enter(f"other-{turn}", WRONG, HERE)
    assert TOKEN.enter("other", WRONG, HERE).status_code == 429
    assert door.enter("robot", door.right, HERE).status_code == door.right_status


@every_door
def test_guesses_at_a_known_address_are_limited_too(robot: User, clock: Clock, door: Door) -> None:
    assert door.enter("robot", door.right, HERE).status_code == door.right_status
    statuses = [door.enter("robot", WRONG, HERE).status_code for _ in range(20)]
    assert statuses == [door.wrong_status] * 10 + [429] * 10
    clock.wait(60)
    assert door.enter("robot", door.right, HERE).status_code == door.right_status


def test_after_an_attack_of_hours_the_owner_waits_at_most_two_minutes(robot: User, clock: Clock) -> None:
    for _ in range(3):
        attack(ADMIN_LOGIN, addresses=5)
        clock.wait(3600)
    attack(ADMIN_LOGIN, addresses=5)
    waited = 0
    while ADMIN_LOGIN.enter("robot", PASSWORD, ELSEWHERE).status_code == 429:
        clock.wait(5)
        waited += 5
    assert waited <= 120


def test_doors_of_one_kind_share_their_limits(robot: User, clock: Clock) -> None:
    for door in DOORS[:3]:
        for _ in range(3):
            assert door.enter("robot", WRONG, HERE).status_code == 200
    assert DOORS[1].enter("robot", WRONG, HERE).status_code == 200
    assert {door.enter("robot", door.right, HERE).status_code for door in DOORS} == {429}


def test_a_person_and_a_program_of_one_name_have_a_bucket_each(robot: User, clock: Clock) -> None:
    attack(TOKEN, addresses=4)
    assert TOKEN.enter("robot", SECRET, HERE).status_code == 429
    assert ADMIN_LOGIN.enter("robot", PASSWORD, HERE).status_code == 302


def test_addresses_of_one_ipv6_network_are_one(robot: User, clock: Clock) -> None:
    statuses = [ADMIN_LOGIN.enter("robot", WRONG, f"2001:db8:0:7::{turn:x}").status_code for turn in range(1, 13)]
    assert statuses == [200] * 10 + [429] * 2
    assert ADMIN_LOGIN.enter("robot", WRONG, "2001:db8:0:8::1").status_code == 200


def test_other_spellings_of_a_name_share_its_bucket(robot: User, clock: Clock) -> None:
    attack(ADMIN_LOGIN, addresses=3)
    assert ADMIN_LOGIN.enter("\uff52obot", PASSWORD, HERE).status_code == 429


def test_the_refusal_is_a_page_for_people_and_json_for_programs(robot: User, clock: Clock) -> None:
    for door in DOORS:
        for _ in range(11):
            refused = door.enter("robot", WRONG, HERE)
        assert refused.status_code == 429
        if door.right == SECRET:
            body = refused.json()
            assert body["error"] == "slow_down"
            assert "Too many failed attempts" in body["error_description"]
        else:
            assert refused["Content-Type"].startswith("text/html")
            assert "Too many failed attempts" in refused.content.decode()


def test_one_request_cannot_guess_two_secrets(robot: User, clock: Clock) -> None:
    fields = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": SECRET}
    refused = Client().post("/o/token", fields, headers=basic("robot", WRONG))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_a_right_secret_at_a_known_address_takes_two_queries_more(
    robot: User, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert authenticate(HttpRequest(), username="robot", password=PASSWORD)
    # One of the three reads the user.
    with django_assert_num_queries(3):
        assert authenticate(HttpRequest(), username="robot", password=PASSWORD)


def test_what_says_nothing_any_more_is_forgotten(robot: User, clock: Clock) -> None:
    attack(ADMIN_LOGIN, addresses=4)
    ADMIN_LOGIN.enter("robot", PASSWORD, "10.0.0.1")
    assert SigninRecord.objects.count() > 0
    clock.wait(86_400)
    assert ADMIN_LOGIN.enter("robot", PASSWORD, HERE).status_code == 302
    SigninRecord.forget(clock.now())
    assert list(SigninRecord.objects.values_list("is_known", flat=True)) == [True]
    forget()


def test_records_hold_neither_names_nor_addresses(robot: User, clock: Clock) -> None:
    ADMIN_LOGIN.enter("robot", WRONG, HERE)
    ADMIN_LOGIN.enter("robot", PASSWORD, HERE)
    for row in SigninRecord.objects.values_list("key", "failures"):
        assert "robot" not in str(row) and HERE not in str(row)


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_moment_learn_no_more_than_ten_answers(robot: User, live_server: LiveServer) -> None:
    url = f"{live_server.url}/o/token"

    def guess(secret: str) -> int:
        form = {"grant_type": "client_credentials", "client_id": "robot", "client_secret": secret}
        return httpx.post(url, data=form, timeout=60).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(guess, [WRONG] * 40))
    assert statuses.count(401) == 10
    assert statuses.count(429) == 30
    assert guess(SECRET) == 429
