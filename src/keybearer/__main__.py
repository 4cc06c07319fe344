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

# Loading the command line makes many objects and hardly any garbage, so searching them for it, which Python also does
# when it exits, would only cost time: a fifth of a short command. The workers of the server set their own threshold.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

from keybearer.cli.main import main  # noqa: E402 - the threshold is for this, and a person may press Ctrl-C meanwhile

if __name__ == "__main__":
    main()
