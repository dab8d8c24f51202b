"""The bound on the work of one comparison, since runtimes choose the documents that are compared."""

from __future__ import annotations

PER_DIFF = 600_000
PER_SCHEMA = 20_000


class Incomparable(Exception):
    """Raised for a part of a document that the rules cannot compare. The change of that part is `unknown`."""


class WorkExceeded(Incomparable):
    """Raised when a comparison has used its steps. The rest of the document is not compared, and is `unknown`."""


class Work:
    """The steps that a comparison may still take. One step takes about 10 microseconds."""

    def __init__(self, steps: int = PER_DIFF) -> None:
        self.steps_left = steps
        self._schema_steps_left = steps

    def start_schema(self) -> None:
        """Give the next schema its own share, so that one schema cannot use the steps of all others."""
        self._schema_steps_left = min(PER_SCHEMA, self.steps_left)

    def spend(self, steps: int = 1) -> None:
        """Take steps. Raises WorkExceeded if this schema or the whole diff has used its steps."""
        self.steps_left -= steps
        self._schema_steps_left -= steps
        if self._schema_steps_left < 0 or self.steps_left < 0:
            raise WorkExceeded
