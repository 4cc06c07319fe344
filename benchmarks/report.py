"""The table of all rows, and the document with it and its explanation."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.rounds import Plan
from benchmarks.rows import Row

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"

_HEADINGS = ("what", "database", "measured", "beside", "ratio", "10 to 90 %", "target", "met?", "CPU µs", "rounds")

INTRODUCTION = """\
# Performance

<!-- `make bench` writes this file. The text is in `benchmarks/report.py`. -->

`make bench` measures everything on this page in one run and writes this page. It takes about ten minutes.
`make bench ARGS=messages` measures one group and only prints its table: `users_me`, `messages`, `memory`, `polls`,
`stall`, `client` or `parts`. `make bench ARGS=mixed` takes an hour, so it runs only if it is named. `make bench
ARGS=--large` also verifies keys among a million accounts, and `--quick` shows in a few minutes that everything runs. No
test asserts a time, because it would fail on a busy machine.
"""

_QUICK = """\
**This is from a quick run: not to be quoted.** Its rounds are short and few and it has a twentieth of the accounts, so
the figures say nothing. `make bench` on a quiet machine replaces them.
"""

METHOD = """\
## How to read the table

- *Measured* is the median of the rounds. A round lasts a second, after a first one that does not count.
- *Beside* is the yardstick and its own median. Both are measured in turn, one right after the other in each round, and
  *ratio* is the median of the rounds' ratios. A slow phase of the machine affects both, so the ratio varies less than
  the figures.
- *10 to 90 %* is the range of the middle 80 % of the rounds: of the ratios, or of the figure if there is no yardstick.
  If the target is in this range, another run may have another result.
- *Target* is for the ratio, or for the figure if there is no yardstick. MISSED means that the median does not meet it.
- *CPU µs* is the processor time of a request in all processes of the server, and after the slash in those of the
  yardstick. It varies less than rates. For the client it is the time of the calling process for each call. The
  processes of PostgreSQL and of the load are not included.

Memory takes long to measure, so its rows have only one round.

## What the yardsticks are

- *Bare requests*: an ASGI application that answers every request with the same 640 bytes, about as many as `users/me`
  has, under Granian as Keybearer runs it (`benchmarks/bare.py`). It reads nothing and checks nothing: it is the
  upper limit.
- *Bare durable commits*: transactions that insert one small row and wait for the disk. On SQLite from one connection,
  with WAL and `synchronous=FULL`, as Keybearer sets it. On PostgreSQL from as many connections as the requests come
  from, with `fsync` and `synchronous_commit` on.
- *argon2 alone*: the same password checked with the same settings in one thread, without a server.
- *The bindings*: the package `zulip` from PyPI, calling the same server from the same process, one call after another.

## What is measured

One worker answers, unless the row says two, and the load comes from separate processes on the same machine. All
checks, limits, headers and records are on; only the limit on calls of an account is too high to be reached. There is no
Redis.

- `users_me` uses 32 connections, each with one running request, and every account's key in turn. A wrong key is one
  that was never issued; a mistyped one has a wrong checksum.
- `messages` uses 8 connections and 100 accounts. Messages go to a channel with 10 subscribers. Regenerating uses
  one connection, and each request uses the key from an earlier answer. On PostgreSQL, half of
  a rate or twice a cost is enough.
- `memory` uses every key of 200,000 accounts once.
- `mixed` makes up to 100 calls per second for an hour: look-ups, messages to a channel and to one person, searches,
  events, registrations, reactions, lists, new keys, wrong keys, passwords and pages. A worker had grown by 35.0 MB
  after 354,987 calls on 2026-11-30, of 40 MB that it may. While it hashes a password, it needs up to 46 MB more.
- `polls` opens 10,000 polls, each of another account, or as many as the limit on open files allows. It sends messages
  to a channel with 5,000 of these accounts, and measures until the last poll is answered and read.
- `stall` compares the p99 of `users/me` on 8 connections with and without 32 passwords that wait to be checked.
- `parts` calls the application, and parts of it, in this process: no HTTP server is in front, and the time of a busy
  machine's other processes does not count. So these rows show how much of a request is Keybearer's own work.
- `client` calls `users/me` from this process, runs whole programs, and reads a zuliprc. The time of imports does not
  include the start of the interpreter.

## Where the server's time goes

The rows of `parts` divide what the rows with targets measure. No network and no other process is involved in them.

- *Verifying a key.* `perf` divides the processor time of a worker on SQLite, in microseconds per request, like this:

  |                | Python | kernel | Granian | SQLite | C libraries | together |
  |----------------|--------|--------|---------|--------|-------------|----------|
  | bare request   | 10     | 20     | 7       |        | 2           | 39       |
  | a mistyped key | 33     | 15     | 9       |        | 4           | 61       |
  | `users/me`     | 46     | 22     | 10      | 4      | 8           | 90       |

  So only the Python part can become shorter, and it has no heavy place. In a profile of the application, the
  event loop takes 17 %, and no module more than 6 %: finding the account of the key 6 %, the checks 6 %, the front door
  5 %, reading the request 4 %, verifying 4 %, the answer 4 %, the checksum 3 %, the limits 3 %. To answer 0.55 as many
  requests as the bare application, Python would have to take 27 microseconds instead of 46. Doing nothing takes it 10.
- *A million accounts.* 100,000 of their keys are used in turn, so nearly every request uses a key whose use was not
  yet written down. With `perf`, a request took 114 microseconds instead of 74. Of the 40 more, 21 are the kernel's,
  which copies pages of the file from and to its cache; 10 are Python's, which records and writes the uses; and 4 are
  SQLite's, whose trees are deeper. A larger cache in the worker would save some, but memory is limited too.
- *On PostgreSQL*, its own processes also need the two cores, and each look-up is a message to one of them and back. A
  look-up of one key takes 180 microseconds from beginning to end, and requests that come meanwhile share the next one.
- *A mistyped key* is refused before any look-up. What is left is reading the request, checking the form of the key,
  counting the refusal for its address, and an answer with all headers. To cost 1.25 bare requests, all this would have
  to take 11 microseconds more than doing nothing does, instead of 23.
- *Sending and regenerating.* A send runs seven statements on SQLite, and rendering takes an eighth of its time. A
  statement takes 2 to 4 % of it. On PostgreSQL a send takes nine round trips to another process: one for the key, one
  each for the beginning and the end of the transaction, and six for the statements. Most of a round trip is the
  system's: passing bytes to another process and waking it. PostgreSQL itself works in the meantime. Regenerating runs
  twelve statements, one transaction after another: in a profile, issuing the key takes 18 % of the time, events and the
  commit 18 %, beginning the transaction and reading who acts 15 %, ending the old key 14 %, the mail 12 %, checking the
  request 9 %, and the audit record 6 %.
- *Passwords and keys.* The load, the worker and the thread that hashes share two cores. The hashing thread has a
  lower priority, but a request still waits until the system takes the processor from it.

## Where the client's time goes

The rows that end in *the floor* measure what is not ours: httpcore2 alone for a call, the libraries and requests of
`whoami` without its own code, and the standard modules alone for an import. The shares here are from profiles on the
same machine, of the least of 12 or more repetitions.

- Of the processor time of a call of `Client`, three quarters are spent in httpcore2 and h11. A twentieth converts the
  request and the response to and from the types of httpcore2, and a fifth judges the response and reads its JSON into a
  `Profile`. Nearly half of the time that a caller waits is the server's.
- Of the time in which `keybearer whoami` loads modules, httpcore2 takes 43 % (it also loads its asynchronous half,
  anyio and `importlib.metadata`), click 21 %, the interpreter and other standard modules 9 %, and Keybearer 27 %.
- Of the time in which the client is imported, two thirds are standard modules (`typing`, `dataclasses`, `inspect`,
  `urllib.parse`, `ipaddress`). httpcore2 is loaded by the first call, and `logging` by the first entry in the log.
"""


def table(rows: Iterable[Row]) -> str:
    """The rows as a table of Markdown that can also be read in a terminal."""
    lines = [_HEADINGS, *(_cells(each) for each in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    return "\n".join([padded[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *padded[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    unit = "" if row.unit == "/s" else f" {row.unit}"
    rate = row.unit if row.unit == "/s" else unit
    beside = "" if row.yardstick_value is None else f"{_figure(row.yardstick_value)}{rate}: {row.yardstick}"
    cpu = "" if row.cpu is None else _figure(row.cpu)
    if row.yardstick_cpu is not None:
        cpu += f" / {_figure(row.yardstick_cpu)}"
    return (
        row.name,
        row.database,
        f"{_figure(row.value)}{rate}",
        beside,
        "" if row.ratio is None else _figure(row.ratio),
        "" if row.rounds == 1 else f"{_figure(row.low)} to {_figure(row.high)}",
        "" if row.target is None else str(row.target),
        row.verdict,
        cpu,
        str(row.rounds),
    )


def _figure(value: float) -> str:
    """Three significant digits, and more only before the decimal point."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{value:,.{digits}f}"


def summary(rows: Sequence[Row]) -> str:
    """One sentence about the targets."""
    missed = [each for each in rows if each.verdict == "MISSED"]
    count = sum(each.target is not None for each in rows)
    if not count:
        return "There are no targets here."
    if not missed:
        return f"All {count} targets are met."
    names = "; ".join(" on ".join(filter(None, (each.name, each.database))) for each in missed)
    return f"{len(missed)} of {count} targets are missed: {names}."


def machine() -> str:
    """One line about the machine."""
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB; {platform.system()} {platform.release()}; Python "
        f"{platform.python_version()}, Granian {version('granian')}, SQLite {sqlite3.sqlite_version}, SQLAlchemy "
        f"{version('sqlalchemy')}, bindings {version('zulip')}; load average when it began: {load}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def document(plan: Plan, rows: Sequence[Row], of_machine: str) -> str:
    """The text of `docs/performance.md`."""
    day = datetime.now(UTC).date().isoformat()
    parts = [
        INTRODUCTION,
        *([_QUICK] if plan.quick else []),
        "## The figures\n",
        f"Measured on {day}. {of_machine}.\n",
        *([] if plan.quick else [f"{summary(rows)}\n"]),
        f"{table(rows)}\n",
        METHOD,
    ]
    return "\n".join(parts)
