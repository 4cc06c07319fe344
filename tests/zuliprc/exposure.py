"""Everything in which errors and resolved credentials could reveal a key."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from pathlib import Path

from keybearer.zuliprc.resolver import Resolution
from tests.zuliprc.strategies import CANARY


def exposed(error: BaseException) -> str:
    """Everything that an error shows: its text, attributes, pickle, log entry, traceback and causes."""
    text = io.StringIO()
    logger = logging.Logger("heard")
    logger.addHandler(logging.StreamHandler(text))
    logger.error("%s %r", error, error, exc_info=error)
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    parts = [text.getvalue(), *(f"{one} {one!r} {one.args!r} {vars(one)!r}" for one in links)]
    parts.append(repr(pickle.dumps(error)))
    return "".join(parts)


def exposed_with_locals(error: BaseException) -> str:
    """The same, with the local variables of all frames except those of the tests."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(
        str(frame.locals) for frame in report.stack if not frame.filename.startswith(str(Path(__file__).parent.parent))
    )


def shown(resolution: Resolution) -> str:
    """Everything that resolved credentials show, without settings that are not secret."""
    text = f"{resolution!r} {resolution.credentials!r} {resolution.values!r} {[str(w) for w in resolution.warnings]}"
    tls = resolution.tls
    for visible in (resolution.email, resolution.site, tls.client_cert, tls.client_cert_key, tls.cert_bundle):
        text = text.replace(repr(visible), "").replace(str(visible), "")
    return text


def assert_no_key(text: str) -> None:
    assert CANARY.lower() not in text.lower()
