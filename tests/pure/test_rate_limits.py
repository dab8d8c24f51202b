"""Token buckets: their size, how they fill again, and the bound on their number."""

from __future__ import annotations

import pytest

from core.net.addresses import network_of
from core.rate_limits import Buckets


def test_a_bucket_allows_a_minutes_worth_at_once_and_then_says_when() -> None:
    buckets = Buckets(most=10)

    assert [buckets.take("a", per_minute=3, now=100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", per_minute=3, now=100.0) == pytest.approx(20.0)
    assert buckets.is_empty("a", per_minute=3, now=119.0)
    assert buckets.take("a", per_minute=3, now=120.0) == 0.0
    assert buckets.take("a", per_minute=3, now=120.0) == pytest.approx(20.0)


def test_a_bucket_holds_no_more_than_a_minutes_worth() -> None:
    buckets = Buckets(most=10)
    buckets.take("a", per_minute=2, now=0.0)

    assert [buckets.take("a", per_minute=2, now=9_000.0) for _ in range(3)] == [0.0, 0.0, pytest.approx(30.0)]


def test_names_do_not_take_from_each_other() -> None:
    buckets = Buckets(most=10)

    assert buckets.take("a", per_minute=1, now=0.0) == 0.0
    assert buckets.take("a", per_minute=1, now=0.0) > 0
    assert buckets.take("b", per_minute=1, now=0.0) == 0.0


def test_only_the_names_used_last_are_kept() -> None:
    buckets = Buckets(most=2)
    for name in ("a", "b", "a", "c"):
        buckets.take(name, per_minute=2, now=0.0)

    # `b` was used longest ago, so it is forgotten and full again; `a` has used up both of its tokens.
    assert buckets.is_empty("a", per_minute=2, now=0.0)
    assert [buckets.take("b", per_minute=2, now=0.0) for _ in range(2)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:7::1", "2001:db8:0:7::/64"),
        ("2001:db8:0:7:ffff::2", "2001:db8:0:7::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_the_addresses_of_one_ipv6_network_are_one(address: str, counted: str) -> None:
    assert network_of(address) == counted
