"""The recorded questions and answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).with_name("data") / "exchanges.yaml"


@dataclass(frozen=True)
class Exchange:
    """One question, and what a Zulip server answered.

    How the client identifies itself: `key_of` an account, `basic` credentials as text, a literal `authorization`
    header, or the `session` of an account (optionally `without_token` against forgery).
    """

    name: str
    method: str
    path: str
    status: int
    answer_headers: Mapping[str, Any]
    body: Any = None
    key_of: str | None = None
    basic: str | None = None
    authorization: str | None = None
    session: str | None = None
    without_token: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    json: Any = None

    @property
    def is_page(self) -> bool:
        """Whether the answer was a page. Then only its status and type are compared."""
        return self.body is None and str(self.answer_headers["content-type"]).startswith("text/html")


def load() -> list[Exchange]:
    """All exchanges, in the order in which they were recorded."""
    document = yaml.load(DATA.read_text("utf-8"), yaml.CSafeLoader)
    return [_exchange(entry, document["headers"]) for entry in document["exchanges"]]


def _exchange(entry: dict[str, Any], headers: Mapping[str, Mapping[str, Any]]) -> Exchange:
    method, path = entry.pop("ask").split(" ")
    status, kind = entry.pop("answer").split(" ")
    return Exchange(method=method, path=path, status=int(status), answer_headers=headers[kind], **entry)
