"""A bare ASGI application under Granian, run as Keybearer runs it: the upper limit for a server.

`python -m benchmarks.bare` prints its port and serves until it is stopped. It runs in Python's own event loop; with
`--worker-loop`, in that of Keybearer's workers. With `--all-headers` its answers have as many headers as those of
Keybearer.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from granian.constants import Loops

from keybearer.server import event_loop
from keybearer.server.api import answers
from keybearer.server.domain.limits import Quota
from keybearer.server.http.responses import Header
from keybearer.server.process import granian, listening
from keybearer.server.settings import Settings

BODY = b'{"result":"success","msg":"","padding":"' + b"x" * 600 + b'"}'
"""About as long as the answer of users/me."""

FEW_HEADERS: list[Header] = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
ALL_HEADERS: list[Header] = [
    *answers.response(answers.Answer(200, BODY), answers.BY_KEY, Quota(1000, 999, 1_800_000_000)).headers,
    (b"x-request-id", b"0123456789abcdef"),
]
_headers = ALL_HEADERS if "--all-headers" in sys.argv else FEW_HEADERS
_loop = event_loop.NAME if "--worker-loop" in sys.argv else Loops.asyncio.value

Application = Callable[..., Awaitable[None]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def application(scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [*_headers]})
    await send({"type": "http.response.body", "body": BODY})


def load(on_started: Callable[[], None]) -> Application:
    on_started()
    return application


def main() -> None:
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        print(port, flush=True)
        server = granian(replace(Settings(data_dir=Path()), port=port), listener, 1000, _loop)
        server.serve(target_loader=load, wrap_loader=False)


if __name__ == "__main__":
    main()
