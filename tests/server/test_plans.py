"""SQLite finds rows by an index: no statement of a request reads all of a table that grows without a bound."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from keybearer.server.domain.accounts import Role
from tests.asgi import FORM_TYPE, Headers, ask, by_key, by_session
from tests.in_process import InProcessServer, prepared, serving
from tests.server.questions import Question, fill, page_questions, wire_questions
from tests.statements import counting

GROWING = frozenset({
    "accounts", "alert_words", "api_key_uses", "api_keys", "audit", "bot_storage", "conversation_members",
    "conversations", "copies", "devices", "events", "message_uploads", "messages", "reactions", "sessions",
    "subscriptions", "uploads", "user_topics",
})  # fmt: skip

TOTAL = "sum(uploads.size)"
"""The space that all files take is added up for each upload."""


def scanned(path: Path, statements: Sequence[str]) -> list[str]:
    """The statements that read all of a growing table, with its name in front of each."""
    found = []
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("casefold", 1, str.casefold, deterministic=True)  # as the driver does
        for statement in statements:
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")):
                match = re.match(r"SCAN (\w+?)(_\d+)?( |$)", step)  # SQLAlchemy numbers a table that it names twice
                if match is not None and match[1] in GROWING and "LIMIT" not in statement and TOTAL not in statement:
                    found.append(f"{step}: {statement}")
    return found


async def call(server: InProcessServer, question: Question, headers: Headers) -> None:
    """Ask a question as usual, without waiting for events."""
    fields = question.good() | ({"dont_block": "true"} if question.path.endswith("/events") else {})
    path = question.filled()
    if question.method == "GET":
        answer = await ask(server.app, "GET", f"{path}?{urlencode(fields)}", headers)
    else:
        form = urlencode(fields).encode()
        answer = await ask(server.app, question.method, path, {**headers, "content-type": FORM_TYPE}, form)
    assert answer.status < 500, question


async def test_no_statement_of_a_request_reads_a_whole_table_that_grows(tmp_path: Path, sqlite_template: Path) -> None:
    settings = prepared(tmp_path / "data", sqlite_template, api_limit="100000/minute")
    asked: set[str] = set()
    async with serving(settings) as server:
        owner = await server.add_person("owner", Role.OWNER)
        await fill(server, owner)
        pages = await page_questions(server, owner, {"account_id": owner.id})
        for number, question in enumerate((*wire_questions(), *pages)):
            who = await server.add_person(f"owner-{number}", Role.OWNER)
            headers = by_key(who.auth) if question.by_key else by_session(await server.signed_in(who))
            with counting() as statements:
                await call(server, question, headers)
            asked |= set(statements)
    assert len(asked) > 100
    assert not scanned(settings.data_dir / "keybearer.db", sorted(asked))
