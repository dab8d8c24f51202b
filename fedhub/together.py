"""Requests of one moment that one thread answers together, instead of a thread for each.

A thread for each request costs two switches between threads, and most of that time is spent waiting for the
interpreter. Here the event loop collects the requests that arrive while the thread is busy; when the thread is done,
the loop sends the answers and gives it what has come meanwhile. The busier the hub is, the less a request costs.

Most senders that got an answer have more to send. So after many answers the loop waits until as many requests have
come again, for a few milliseconds at most. A lone request never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Protocol

from fedhub.wsgi_bridge import Answer, Environ

MOST = 64
"""Requests that are answered together: so many share the price of a transaction, and none waits for long."""

WAIT_SECONDS = 0.005
"""How long requests wait for others of the same moment, after several were answered together."""

Asked = tuple[Environ, Context]


class AnswersTogether(Protocol):
    """Answers many requests in one call."""

    def __call__(self, asked: Sequence[Asked]) -> tuple[list[Answer | None], Callable[[], None] | None]:
        """Return the answer of each request, None for one that the ordinary application must answer, in their order.

        Each request comes with its context, for the log lines and spans about it. Also return a function that is called
        once the answers are given back, in another thread, or None: the function may wait.
        """
        ...


class Together:
    """Collects the requests to one path and lets one thread answer them; all its own state is the event loop's."""

    def __init__(self, answers: AnswersTogether, pool: Executor) -> None:
        """Take what answers, and the pool for what is left to do after the answers."""
        self._answers, self._pool = answers, pool
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="together")
        self._waiting: list[tuple[Asked, asyncio.Future[Answer | None]]] = []
        self._is_busy = False
        self._expected = 1
        self._timer: asyncio.TimerHandle | None = None

    async def answer(self, environ: Environ) -> Answer | None:
        """Return the answer to a request, or None for one that the ordinary application must answer."""
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((dict(environ), copy_context()), future))
        if not self._is_busy and len(self._waiting) >= self._expected:
            self._start()
        answer = await future
        # What was read of the body is read again.
        environ["wsgi.input"].seek(0)
        return answer

    def close(self) -> None:
        """End the thread after its work."""
        self._thread.shutdown(wait=True)

    def _start(self) -> None:
        """Give the thread the requests that wait, if there are any; runs in the event loop."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._expected = 1
        if not self._waiting:
            return
        self._is_busy = True
        taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        asked, futures = [each for each, _ in taken], [future for _, future in taken]
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._answers, asked)
        work.add_done_callback(lambda done: self._end(futures, done))

    def _end(
        self,
        futures: Sequence[asyncio.Future[Answer | None]],
        done: asyncio.Future[tuple[list[Answer | None], Callable[[], None] | None]],
    ) -> None:
        """Give the answers back, then wait for the next requests; runs in the event loop."""
        error = done.exception()
        answers, then = ([None] * len(futures), None) if error else done.result()
        for future, answer in zip(futures, answers, strict=True):
            # A caller that was cancelled waits no more.
            if future.done():
                continue
            if error:
                future.set_exception(error)
            else:
                future.set_result(answer)
        if then:
            asyncio.get_running_loop().run_in_executor(self._pool, then)
        self._is_busy, self._expected = False, len(futures)
        if len(self._waiting) >= self._expected:
            self._start()
        else:
            self._timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, self._start)
