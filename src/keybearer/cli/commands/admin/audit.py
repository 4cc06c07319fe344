"""`keybearer admin audit`: print the entries of the audit log, all or some."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import print_json
from keybearer.cli.terminal.text import json_text
from keybearer.masking import masked_json
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services import accounts
from keybearer.server.services import audit as log
from keybearer.server.services.audit import NamedRecord
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings
from keybearer.server.storage.audit import AuditFilter

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic only in some of the versions that will do
    """A time: `2026-11-23` or `2026-11-23T14:00`, with a zone or in UTC; or how long ago: `90m`, `2h`, `7d`."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401
        if isinstance(value, datetime):
            return value
        ago = re.fullmatch(r"([0-9]{1,6})([smhdw])", value)
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time: write 2026-11-23T14:00, or 2h for two hours ago.", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class AuditEventName(click.ParamType):  # type: ignore[type-arg]  # generic only in some of the versions that will do
    """An event of the audit log, such as `api_key:regenerated`. The part before the colon means all events with it."""

    name = "event"

    def convert(
        self,
        value: Any,  # noqa: ANN401
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> list[AuditEvent]:
        if isinstance(value, list):
            return value
        found = [event for event in AuditEvent if value in (event.value, event.value.partition(":")[0])]
        if not found:
            names = ", ".join(event.value for event in AuditEvent)
            self.fail(f"There is no event {value!r}. The events are: {names}.", param, ctx)
        return found


@click.command()
@click.option(
    "--event", "events", multiple=True, type=AuditEventName(), help="Only these events. Can be given more than once."
)
@click.option("--account", "email", help="Only entries by or about this account.")
@click.option("--since", type=Moment(), help="Only entries since this time: 2026-11-23T14:00, or 2h for two hours ago.")
@click.option(
    "--limit",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How many of the newest to show.",
)
@click.option("--follow", is_flag=True, help="Continue with new entries, until stopped.")
@json_option
@on_data
def audit(
    settings: Settings,
    *,
    events: Sequence[list[AuditEvent]],
    email: str | None,
    since: datetime | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Print what happened: who did what to whom, when and from where. The oldest entry is first.

    With --follow, it prints each new entry when it is made. With --json as well, each is an object on its own line, so
    the log can be sent to another program.
    """

    async def wanted_of(context: Context) -> AuditFilter:
        concerning = None if email is None else [(await accounts.find_for_operator(context, email)).id]
        return AuditFilter(
            events=[event for each in events for event in each] or None,
            concerning=concerning,
            since=since,
            limit=limit,
        )

    async def find(context: Context) -> Sequence[NamedRecord]:
        return await log.find_for_operator(context, await wanted_of(context))

    async def print_all(context: Context) -> None:
        async for entry in log.follow(context, await wanted_of(context)):
            click.echo(json_text(json.dumps(masked_json(_as_json(entry)))) if as_json else _line(entry))

    if follow:
        run_on(settings, print_all)
        return
    entries = list(reversed(run_on(settings, find)))
    if as_json:
        print_json([_as_json(entry) for entry in entries])
        return
    for entry in entries:
        click.echo(_line(entry))


def _as_json(entry: NamedRecord) -> dict[str, object]:
    record = entry.record
    return {
        "id": record.id,
        "at": record.at.isoformat(timespec="milliseconds"),
        "event": record.event.value,
        "actor_id": record.actor_id,
        "actor": None if entry.actor is None else entry.actor.delivery_email,
        "subject_id": record.subject_id,
        "subject": None if entry.subject is None else entry.subject.delivery_email,
        "address": record.address,
        "client": record.client,
        "details": dict(record.details),
    }


def _line(entry: NamedRecord) -> str:
    record = entry.record
    who = _name(entry.actor, record.actor_id) or ("somebody" if record.address else "the operator")
    whom = _name(entry.subject, record.subject_id)
    parts = [f"{record.at:%Y-%m-%d %H:%M:%S}Z", record.event.value, f"by {who}"]
    if whom and whom != who:
        parts.append(f"of {whom}")
    if record.address:
        parts.append(f"from {record.address}")
    if record.client:
        parts.append(f"with {record.client!r}")
    parts += [f"{name}={value}" for name, value in record.details.items() if value is not None]
    return "  ".join(parts)


def _name(account: Account | None, account_id: int | None) -> str:
    if account is not None:
        return account.delivery_email
    return "" if account_id is None else f"account {account_id}"
