"""A lifecycle handler that takes long, for hubs that a test starts."""

from __future__ import annotations

import time

from django.conf import settings

from peers.protocol import Federation, on_federation_received

SECONDS = 40


@Federation(server_url=settings.FEDHUB_SERVER_URL)
class SlowAgents:
    """Works on each received intent for a long time."""

    @on_federation_received
    def work(self, envelope: object) -> None:
        """Do nothing for SECONDS."""
        time.sleep(SECONDS)
