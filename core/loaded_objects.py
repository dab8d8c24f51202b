"""What Python's collector of garbage does in a process that answers requests."""

from __future__ import annotations

import gc


def spare_loaded_objects() -> None:
    """Leave the objects that are loaded by now out of each search for garbage, and make the searches rare.

    They stay as long as the process, and requests leave few cycles. The searches took a tenth of the time of requests;
    now and then one of them looked through all that Django has loaded, which took 0.1 s of one request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
