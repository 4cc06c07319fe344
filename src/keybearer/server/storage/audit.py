"""The audit log as rows. Rows are added and read, never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.audit import BY_STRANGERS, AuditEvent, AuditRecord
from keybearer.server.domain.limits import Retention
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.accounts import is_of_person
from keybearer.server.storage.dialect import among, delete_some
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import audit

CLIENT_MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records to find. None means any. `concerning` are accounts that acted or were acted upon; `of_person` is a
    person whose account or bots did or were.
    """

    ids: Sequence[int] | None = None

    events: Sequence[AuditEvent] | None = None
    concerning: Sequence[int] | None = None
    of_person: int | None = None
    since: datetime | None = None
    before_id: int | None = None
    limit: int = 100


def from_row(row: Row[tuple[object, ...]]) -> AuditRecord:
    """The value of a row of the table."""
    columns = {name: value for name, value in row._mapping.items() if name != "realm_id"}
    return AuditRecord(**{**columns, "event": AuditEvent(row.event), "details": json.loads(row.details)})


_ADDED = Prepared(insert(audit), columns=[column.name for column in audit.c if column.name != "id"])


async def add(
    connection: AsyncConnection,
    event: AuditEvent,
    *,
    realm_id: int | None,
    at: datetime,
    actor_id: int | None,
    about: Sequence[tuple[int | None, Mapping[str, object]]],
    origin: RequestOrigin,
) -> None:
    """Record an event in the transaction that it is about: one record for each subject, with its details."""
    shared = {
        "realm_id": realm_id,
        "at": at,
        "event": event.value,
        "actor_id": actor_id,
        "address": origin.address,
        "client": printable(origin.client),
    }

    def row(one: tuple[int | None, Mapping[str, object]]) -> dict[str, object]:
        subject_id, details = one
        text = json.dumps(dict(details), ensure_ascii=False, sort_keys=True)
        return {**shared, "subject_id": subject_id, "details": text}

    await _ADDED.run_each(connection, await paced(row, about))


async def find(connection: AsyncConnection, wanted: AuditFilter) -> Sequence[AuditRecord]:
    """The records that match, newest first."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(wanted.limit)
    if wanted.ids is not None:
        statement = statement.where(among(audit.c.id, wanted.ids))
    if wanted.events is not None:
        statement = statement.where(audit.c.event.in_([event.value for event in wanted.events]))
    if wanted.concerning is not None:
        ids = list(wanted.concerning)
        statement = statement.where(or_(among(audit.c.actor_id, ids), among(audit.c.subject_id, ids)))
    if wanted.of_person is not None:
        sides = [is_of_person(column, wanted.of_person) for column in (audit.c.actor_id, audit.c.subject_id)]
        statement = statement.where(or_(*sides))
    if wanted.since is not None:
        statement = statement.where(audit.c.at >= wanted.since)
    if wanted.before_id is not None:
        statement = statement.where(audit.c.id < wanted.before_id)
    return [from_row(row) for row in await connection.execute(statement)]


async def has_happened_since(
    connection: AsyncConnection, subject_id: int, event: AuditEvent, since: AuditEvent
) -> bool:
    """Whether this event is newer than the other one, for the same subject."""
    found = select(audit.c.event).where(audit.c.subject_id == subject_id, audit.c.event.in_([event, since]))
    newest = await connection.execute(found.order_by(audit.c.id.desc()).limit(1))
    return newest.scalar_one_or_none() == event


async def find_ids(connection: AsyncConnection, *, after: int, missing: Sequence[int], limit: int) -> Sequence[int]:
    """The ids of records after this one, up to a limit, and of records before it that were missing then."""
    newer = select(audit.c.id).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
    found = list((await connection.execute(newer)).scalars())
    if missing:
        found += (await connection.execute(select(audit.c.id).where(among(audit.c.id, missing)))).scalars()
    return sorted(found)


async def newest_id(connection: AsyncConnection) -> int:
    """The id of the newest record; 0 if there is none."""
    newest: int | None = (await connection.execute(select(func.max(audit.c.id)))).scalar_one()
    return newest or 0


async def remove_old(connection: AsyncConnection, now: datetime, *, limit: int) -> int:
    """Delete the records that are old enough, up to a limit. Returns how many."""
    kept = {event: Retention.STRANGERS if event in BY_STRANGERS else Retention.AUDIT for event in AuditEvent}
    by_retention = [
        audit.c.event.in_([event.value for event in AuditEvent if kept[event] is each]) & (audit.c.at < now - each.days)
        for each in (Retention.STRANGERS, Retention.AUDIT)
    ]
    return await delete_some(connection, audit, or_(*by_retention), limit=limit)


def printable(client: str) -> str:
    """Text from a client, made safe for a log: limited in length, and one line of printable characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in client[:CLIENT_MAX_LENGTH])
