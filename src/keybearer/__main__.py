"""The entry point of the `keybearer` command, as a script and as `python -m keybearer`.

Loading the command line takes a tenth of a second, and a person may press Ctrl-C meanwhile.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
from types import FrameType

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:

    def _leave(number: int, frame: FrameType | None) -> None:
        """Nothing has begun, or everything is done."""
        os.write(2, b"keybearer: Stopped\n")
        os._exit(128 + number)

    signal.signal(signal.SIGINT, _leave)

from keybearer.cli.main import main

# Python collects garbage when it exits. With so many modules this takes a sixth of a short command, and frees nothing.
atexit.register(gc.freeze)

if __name__ == "__main__":
    main()
