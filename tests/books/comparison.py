"""Compare the two hubs' books with what an attacker did: each act must show, and each dispatch must end once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from peers.models import (
    Dispatch,
    DispatchReceipt,
    InboundCallback,
    JournalEntry,
    JournalKind,
    OutboundCallback,
    ReceivedDispatch,
)
from tests.books.acts import FAILED, REFUSED, Act, ActKind
from tests.contract.peer_hubs import Hub

ENDED = ("completed", "failed", "rejected")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hub's book: its place, kind, dispatch, digest and text."""

    place: int
    kind: str
    dispatch_id: str
    digest: str
    text: str


@dataclass(slots=True)
class Book:
    """What one hub has written down: its lines in their order, and its receipts by dispatch.

    A receipt is the pair of its wire form and its countersignature. `has_log` tells that the log verifies.
    """

    lines: list[Line]
    receipts: dict[str, tuple[object, object]]
    log_error: str = ""

    def digests(self, kind: str, text: str = "") -> Counter[str]:
        """Return the number of lines of a kind that hold `text`, by digest."""
        return Counter(line.digest for line in self.lines if line.kind == kind and text in line.text)

    def place(self, digest: str, kinds: Iterable[str]) -> int | None:
        """Return the place of the first line of one of these kinds about a message."""
        return next((line.place for line in self.lines if line.digest == digest and line.kind in kinds), None)


@dataclass(slots=True)
class Books:
    """Both hubs' books and rows: `left` has dispatched, `right` has worked.

    `statuses` are the statuses of the dispatches by id, `ends` the number of ends that `left` has applied, `worked` the
    ids of those that `right` has received, with whether their work has ended and whether it was accepted. `owed` are
    the callbacks that are not delivered.
    """

    left: Book
    right: Book
    statuses: dict[str, str]
    ends: Counter[str] = field(default_factory=Counter)
    worked: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    owed: int = 0


def read_books(left: Hub, right: Hub, *, log_errors: Mapping[str, str]) -> Books:
    """Read the books of two hubs; `log_errors` says what verify_log said of each hub, "" for a log without a fault."""
    ends = left.stored(InboundCallback).filter(is_applied=True, event_type__in=ENDED)
    worked = right.stored(ReceivedDispatch).values_list("dispatch_id", "is_finished", "accepted")
    return Books(
        left=_read_book(left, log_errors.get(left.name, "")),
        right=_read_book(right, log_errors.get(right.name, "")),
        statuses=dict(left.stored(Dispatch).values_list("pk", "status")),
        ends=Counter(ends.values_list("dispatch_id", flat=True)),
        worked={pk: (is_finished, accepted) for pk, is_finished, accepted in worked},
        owed=right.stored(OutboundCallback).filter(delivered_at=None).count(),
    )


def _read_book(hub: Hub, log_error: str) -> Book:
    rows = hub.stored(JournalEntry).order_by("at", "position", "id")
    values = rows.values_list("kind", "dispatch_id", "digest", "text")
    receipts = hub.stored(DispatchReceipt).values_list("dispatch_id", "receipt", "countersignature")
    return Book(
        lines=[Line(place, *columns) for place, columns in enumerate(values)],
        receipts={pk: (receipt, answer) for pk, receipt, answer in receipts},
        log_error=log_error,
    )


def find_violations(books: Books, acts: Sequence[Act]) -> list[str]:
    """Return every act that the books do not show, and every dispatch that is lost; [] if there is none."""
    return [*_unseen(books, acts), *_lost(books), *_unsigned(books), *_broken_logs(books)]


# Acts ---------------------------------------------------------------------------------------------------------------
def _unseen(books: Books, acts: Sequence[Act]) -> Iterator[str]:
    for receiver, sender, to in ((books.right, books.left, "right"), (books.left, books.right, "left")):
        done = [act for act in acts if act.to == to]
        yield from _missing(receiver.digests("refused"), done, REFUSED, f"{to} has no line of a refused message")
        failed = sender.digests("dispatch", "Attempt ") + sender.digests("callback", "Attempt ")
        yield from _missing(failed, done, FAILED, f"the sender to {to} has no line of a failed attempt")
        yield from _copies(receiver, sender, done, to)
        yield from _refused_instead(sender, done, to)
        yield from (f"{act.kind}: {why}" for act in done if (why := _order(act, sender, receiver)))
        further = sum(receiver.digests("refused").values()) - sum(act.kind in REFUSED for act in done)
        if further:
            yield f"{to} has {further} refused messages more than the attacker sent"


def _missing(lines: Counter[str], acts: Sequence[Act], kinds: Iterable[ActKind], text: str) -> Iterator[str]:
    """Yield the acts of these kinds for which there are fewer lines with their digest than acts."""
    left = lines.copy()
    for act in acts:
        if act.kind in kinds:
            digest = act.sent_digest if act.kind in REFUSED else act.digest
            if left[digest] <= 0:
                yield f"{act.kind}: {text}: {act.dispatch_id} {digest[:12]}"
            left[digest] -= 1


def _copies(receiver: Book, sender: Book, acts: Sequence[Act], to: str) -> Iterator[str]:
    """Yield the messages with a lost answer whose copy, if the sender sent one, has no line."""
    copies = receiver.digests("copy")
    delivered = sender.digests("callback", "Reported ") + sender.digests("dispatch", "Answered ")
    for act in acts:
        # A dispatch is not sent again where a callback has told of it meanwhile.
        if act.kind is ActKind.LOSE_ANSWER and (act.is_callback or delivered[act.digest]) and not copies[act.digest]:
            yield f"{act.kind}: {to} has no line of the copy: {act.dispatch_id}"


def _refused_instead(sender: Book, acts: Sequence[Act], to: str) -> Iterator[str]:
    """Yield the messages that were replaced by a forged one and whose sender has no line of the refusal."""
    stated = ("Refused: ", "Given up ")
    refused = Counter(line.dispatch_id for line in sender.lines if line.text.startswith(stated))
    for act in acts:
        if act.instead and not refused[act.dispatch_id]:
            yield f"{act.kind}: the sender to {to} has no line of the refusal: {act.dispatch_id}"


def _order(act: Act, sender: Book, receiver: Book) -> str:
    """Return why the two books do not show another order of two messages; "" if they do, or for another act."""
    if act.kind is not ActKind.REORDER:
        return ""
    kinds = (JournalKind.CALLBACK, JournalKind.RECEIVE)
    late, early = receiver.place(act.digest, kinds), receiver.place(act.passed, kinds)
    if late is None or early is None:
        return f"one of two messages has no line: {act.dispatch_id}"
    return "" if early < late else f"the book has the order in which they were sent: {act.dispatch_id}"


# Ends ---------------------------------------------------------------------------------------------------------------
def _lost(books: Books) -> Iterator[str]:
    refused = {line.dispatch_id for line in books.left.lines if line.text.startswith("Refused: ")}
    for pk, status in books.statuses.items():
        is_finished, accepted = books.worked.get(pk, (False, False))
        if status == "rejected":
            if pk not in books.worked or accepted:
                yield f"{pk} is rejected, and the other book does not have that"
        elif status == "failed" and not books.ends[pk]:
            if pk not in refused or pk in books.worked:
                yield f"{pk} failed without a stated reason, or was worked on"
        elif status not in ENDED:
            yield f"{pk} is lost: it is {status}"
        elif not is_finished or books.ends[pk] != 1:
            yield f"{pk} is {status} with {books.ends[pk]} ends, and its work is {'' if is_finished else 'not '}ended"
    for pk in books.worked.keys() - books.statuses.keys():
        yield f"{pk} was worked on, and never dispatched"
    if books.owed:
        yield f"{books.owed} callbacks are owed"


def _unsigned(books: Books) -> Iterator[str]:
    """Yield the ended dispatches of which the hubs do not hold one receipt with both signatures."""
    for pk, status in books.statuses.items():
        if pk not in books.worked or status not in ENDED:
            continue
        left, right = books.left.receipts.get(pk), books.right.receipts.get(pk)
        if left is None or left != right or not left[1]:
            yield f"{pk} is {status} without one receipt that both hubs signed"


def _broken_logs(books: Books) -> Iterator[str]:
    for name, book in (("left", books.left), ("right", books.right)):
        if book.log_error:
            yield f"the log of {name} does not verify: {book.log_error}"
