"""A lifecycle handler that takes long, for hubs that a test starts."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django.conf import settings

from peers.protocol import Federation, on_federation_received

SECONDS = float(os.environ.get("SLOW_HANDLER_SECONDS", "40"))


@Federation(server_url=settings.FEDHUB_SERVER_URL)
class SlowAgents:
    """Works on each received intent for a long time."""

    @on_federation_received
    def work(self, envelope: object) -> None:
        """Do nothing for SECONDS, then write a line to the file `handled` of the hub."""
        time.sleep(SECONDS)
        with (Path(os.environ["FEDHUB_VAR_DIR"]) / "handled").open("a", encoding="utf-8") as file:
            file.write("done\n")
