"""The command that builds the search index again from the registry."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.console import make_console, make_progress
from federations.search.base import SearchError
from federations.services.index import rebuild_index


class Command(BaseCommand):
    """Delete the index and build it anew. While the command runs, searches miss documents that are not indexed yet."""

    help = "Drop the search index and build it anew from the registry."

    def handle(self, *args: Any, **options: Any) -> None:
        """Build the index, federation by federation."""
        console = make_console(self.stdout)
        try:
            with make_progress(console) as progress:
                task = progress.add_task("federations", total=None)
                count = rebuild_index(
                    lambda done, total: progress.update(
                        task, completed=done, total=total, description=_describe_parts(total - 1)
                    )
                )
        except SearchError as exc:
            raise CommandError(f"The index could not be built: {exc}") from exc
        console.print(f"The index holds {count} resource{'' if count == 1 else 's'}.", style="green")


def _describe_parts(federations: int) -> str:
    """Return the description of the steps: each federation, and the resources without a federation."""
    return f"{federations} federation{'' if federations == 1 else 's'} and the rest"
