"""The security log of one's own account and bots, and the audit log of the organization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.responses import Response

from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services import audit, profiles
from keybearer.server.services.audit import NamedRecord
from keybearer.server.storage.audit import AuditFilter
from keybearer.server.web.audit_sentences import ALARMING, KINDS, events_of, sentence
from keybearer.server.web.visit import Visit

PER_PAGE = 50
MOST_CONCERNED = 200
"""Users and bots whose records a filter by name or email shows. If more match, the page says so."""
PERIODS = {"24 hours": timedelta(hours=24), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}

_ICONS = {
    "api_key": "key",
    "bot": "bot",
    "account": "users",
    "invitation": "mail",
    "device": "device",
    "realm": "policy",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log."""

    text: str
    at: datetime
    address: str
    client: str
    icon: str
    is_alarming: bool

    @property
    def day(self) -> date:
        """The day in UTC. Scripts replace it with the reader's own days."""
        return self.at.astimezone(UTC).date()


def _entry(named: NamedRecord, visit: Visit) -> Entry:
    record = named.record
    says_origin = record.event in (AuditEvent.API_KEY_LATE_USE, AuditEvent.API_KEY_FETCHED)
    is_alarming = record.event in ALARMING
    noun = record.event.value.partition(":")[0]
    return Entry(
        text=sentence(named, visit.caller.account),
        at=record.at,
        address="" if says_origin else record.address,
        client="" if says_origin else record.client,
        icon="warning" if is_alarming else _ICONS.get(noun, "log"),
        is_alarming=is_alarming,
    )


def _filter(visit: Visit, concerning: Sequence[int] | None = None) -> AuditFilter:
    period = PERIODS.get(visit.query.get("period", ""))
    before = visit.query.get("before", "")
    return AuditFilter(
        events=events_of(visit.query.get("kind", "")),
        concerning=concerning,
        since=None if period is None else visit.context.clock() - period,
        before_id=int(before) if before.isascii() and before.isdigit() and len(before) <= 9 else None,
        limit=PER_PAGE + 1,
    )


async def show_own(visit: Visit) -> Response:
    """What happened to one's own account and bots."""
    return _log(visit, await audit.find_own(visit.context, visit.caller, _filter(visit)), is_own=True)


async def show_all(visit: Visit) -> Response:
    """What happened in the organization."""
    who = visit.query.get("who", "").strip()
    concerning = None
    if who:
        concerning = await profiles.find_matching_ids(visit.context, visit.caller, who, limit=MOST_CONCERNED + 1)
    is_cut = concerning is not None and len(concerning) > MOST_CONCERNED
    wanted = _filter(visit, None if concerning is None else concerning[:MOST_CONCERNED])
    return _log(visit, await audit.find_all(visit.context, visit.caller, wanted), is_own=False, is_cut=is_cut)


def _log(visit: Visit, found: Sequence[NamedRecord], *, is_own: bool, is_cut: bool = False) -> Response:
    shown = found[:PER_PAGE]
    return visit.render(
        "audit/log.html",
        entries=[_entry(named, visit) for named in shown],
        older=shown[-1].record.id if len(found) > PER_PAGE else None,
        kinds=list(KINDS),
        periods=list(PERIODS),
        kind=visit.query.get("kind", ""),
        period=visit.query.get("period", ""),
        who=visit.query.get("who", "").strip(),
        is_filtered=any(visit.query.get(name) for name in ("kind", "period", "who", "before")),
        is_own=is_own,
        most_concerned=MOST_CONCERNED if is_cut else None,
    )
