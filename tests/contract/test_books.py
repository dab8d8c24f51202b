"""Two hubs whose messages are attacked; `python -m benchmarks.books` attacks more of them."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.books.acts import FAILED, REFUSED, Act, ActKind, plan_acts
from tests.books.campaign import Outcome, run
from tests.books.comparison import Book, Books, find_violations

MESSAGES = 27

pytestmark = pytest.mark.timeout(420)
Spoil = Callable[[Books, list[Act]], object]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, hub_rows: None) -> Outcome:
    """What a short campaign has left behind."""
    return run(tmp_path_factory.mktemp("books"), plan_acts(5, MESSAGES), seed=5, seconds=180)


def of_kind(acts: list[Act], *kinds: ActKind) -> Act:
    """Return one act of these kinds."""
    return next(act for act in acts if act.kind in kinds)


def receiver(books: Books, act: Act) -> Book:
    """Return the book of the hub to which the message went."""
    return books.right if act.to == "right" else books.left


def sender(books: Books, act: Act) -> Book:
    """Return the book of the hub from which the message came."""
    return books.left if act.to == "right" else books.right


def drop(book: Book, kind: str, digest: str, text: str = "") -> None:
    """Remove the lines of a kind about a message."""
    book.lines = [line for line in book.lines if (line.kind, line.digest) != (kind, digest) or text not in line.text]


def forget_refusal(books: Books, acts: list[Act]) -> None:
    act = of_kind(acts, *REFUSED)
    drop(receiver(books, act), "refused", act.sent_digest)


def forget_failed_attempt(books: Books, acts: list[Act]) -> None:
    act = of_kind(acts, *FAILED)
    drop(sender(books, act), "callback" if act.is_callback else "dispatch", act.digest, "Attempt ")


def forget_copy(books: Books, acts: list[Act]) -> None:
    # Whether a plan meets an envelope or a callback depends on the moment.
    acts.append(Act(ActKind.LOSE_ANSWER, to="left", dispatch_id="d", digest="0" * 64, is_callback=True))


def forget_stated_refusal(books: Books, acts: list[Act]) -> None:
    act = next(act for act in acts if act.instead)
    book = sender(books, act)
    book.lines = [line for line in book.lines if line.dispatch_id != act.dispatch_id]


def straighten(books: Books, acts: list[Act]) -> None:
    act = of_kind(acts, ActKind.REORDER)
    book = receiver(books, act)
    book.lines = [replace(line, place=-1) if line.digest == act.digest else line for line in book.lines]
    book.lines.sort(key=lambda line: line.place)


def lose_dispatch(books: Books, acts: list[Act]) -> None:
    books.statuses[one(books, "completed")] = "accepted"


def one(books: Books, status: str) -> str:
    """Return the id of one dispatch with this status."""
    return next(pk for pk, found in books.statuses.items() if found == status)


def lose_receipt(books: Books, acts: list[Act]) -> None:
    del books.right.receipts[one(books, "completed")]


def lose_countersignature(books: Books, acts: list[Act]) -> None:
    pk = one(books, "rejected")
    books.left.receipts[pk] = books.right.receipts[pk] = (books.left.receipts[pk][0], None)


SPOILS: dict[str, Spoil] = {
    "has no line of a refused message": forget_refusal,
    "has no line of a failed attempt": forget_failed_attempt,
    "has no line of the copy": forget_copy,
    "has no line of the refusal": forget_stated_refusal,
    "the book has the order in which they were sent": straighten,
    "refused messages more than": lambda books, acts: acts.remove(of_kind(acts, ActKind.DOUBLE)),
    "is lost: it is accepted": lose_dispatch,
    "with 2 ends": lambda books, acts: books.ends.update([one(books, "completed")]),
    "its work is not ended": lambda books, acts: books.worked.update({one(books, "completed"): (False, True)}),
    "the other book does not have that": lambda books, acts: books.worked.pop(one(books, "rejected")),
    "was worked on, and never": lambda books, acts: books.worked.update({"another": (True, True)}),
    "callbacks are owed": lambda books, acts: setattr(books, "owed", 1),
    "completed without one receipt": lose_receipt,
    "rejected without one receipt": lose_countersignature,
    "does not verify": lambda books, acts: setattr(books.left, "log_error", "FORK"),
}


def test_each_attack_shows_in_the_books_and_no_dispatch_is_lost(outcome: Outcome) -> None:
    assert outcome.violations == []
    assert len(outcome.acts) == MESSAGES
    assert {act.kind for act in outcome.acts} == set(ActKind)


@pytest.mark.parametrize("text", SPOILS)
def test_comparison_sees_what_is_wrong_in_the_books(outcome: Outcome, text: str) -> None:
    books, acts = deepcopy(outcome.books), list(outcome.acts)
    assert not [line for line in find_violations(books, acts) if text in line]
    SPOILS[text](books, acts)
    assert [line for line in find_violations(books, acts) if text in line]
