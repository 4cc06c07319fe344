"""Prints the findings of a search: as lines for people, as JSON, or as SARIF."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import click

from keybearer import __version__
from keybearer.cli.commands.scan.places import LocatedLeak, Search
from keybearer.cli.commands.scan.recognition import ALLOWED, KINDS
from keybearer.cli.terminal.output import note, print_json, warn
from keybearer.cli.terminal.text import one_line

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_REMEDY = "Anybody who could read the key may have it. `keybearer regenerate` replaces a key with a new one."


def print_lines(search: Search) -> None:
    """Print a line for each finding on stdout, and a summary on stderr."""
    for located in search.leaks:
        click.echo(one_line(f"{located.place}: {_sentence(located)}"))
    for unread in search.unread:
        warn(f"not searched: {unread}")
    passed_over = f" {_count(search.ignored, 'file or key', 'files or keys')} ignored." if search.ignored else ""
    if search.leaks:
        keys = len({located.leak.key for located in search.leaks})
        note(
            f"{_count(keys, 'key')} in {_count(len(search.leaks), 'place')}. {_REMEDY} Mark keys that may be public "
            f"with the comment {ALLOWED}, with --allow or in an ignore file.{passed_over}"
        )
    else:
        note(f"No API key found in {_count(search.files, 'file')}.{passed_over}")


def print_findings_as_json(search: Search) -> None:
    """Print the whole result of a search, for programs."""
    print_json(
        {
            "findings": [_as_json(located) for located in search.leaks],
            "searched": search.files,
            "ignored": search.ignored,
            "not_searched": list(search.unread),
        }
    )


def print_sarif(search: Search) -> None:
    """Print the findings in the Static Analysis Results Interchange Format 2.1.0, for GitHub's code scanning."""
    print_json(
        {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {"driver": _driver()},
                    "columnKind": "unicodeCodePoints",
                    "invocations": [
                        {
                            "executionSuccessful": not search.unread,
                            "toolExecutionNotifications": [
                                {"level": "error", "message": {"text": f"not searched: {unread}"}}
                                for unread in search.unread
                            ],
                        }
                    ],
                    "results": [_as_result(located) for located in search.leaks],
                }
            ],
        }
    )


def _sentence(located: LocatedLeak) -> str:
    owner = " at ".join(filter(None, (located.leak.email, located.leak.site)))
    whose = f" of {owner}" if owner else ""
    return f"{KINDS[located.leak.kind]}{whose}: {located.leak.key.masked()} (fingerprint {located.fingerprint})"


def _count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number} {noun if number == 1 else nouns or f'{noun}s'}"


def _as_json(located: LocatedLeak) -> dict[str, object]:
    return {
        "kind": located.leak.kind,
        "path": located.path or None,
        "line": located.leak.line or None,
        "commit": located.commit or None,
        "repository": located.repository or None,
        "email": located.leak.email or None,
        "site": located.leak.site or None,
        "key": located.leak.key.masked(),
        "fingerprint": located.fingerprint,
    }


def _driver() -> dict[str, object]:
    rules = [
        {
            "id": f"zulip-key-{kind}",
            "name": f"ZulipKey{kind.capitalize()}",
            "shortDescription": {"text": meaning},
            "fullDescription": {"text": f"{meaning}. {_REMEDY}"},
            "help": {"text": f"{_REMEDY} Removing it from the file is not enough, since the git history keeps it."},
            "defaultConfiguration": {"level": "error"},
            "properties": {"tags": ["security", "secret"], "precision": "high", "security-severity": "8.0"},
        }
        for kind, meaning in KINDS.items()
    ]
    return {"name": "keybearer", "semanticVersion": __version__, "rules": rules}


def _as_result(located: LocatedLeak) -> dict[str, object]:
    commit = f" In commit {located.commit}." if located.commit else ""
    return {
        "ruleId": f"zulip-key-{located.leak.kind}",
        "ruleIndex": list(KINDS).index(located.leak.kind),
        "level": "error",
        "message": {"text": one_line(f"{_sentence(located)}.{commit}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(located)},
                    "region": {"startLine": max(1, located.leak.line)},
                }
            }
        ],
        "partialFingerprints": {"keybearerFingerprint/v1": f"{located.fingerprint}:{located.commit}"},
    }


def _uri(located: LocatedLeak) -> str:
    """The URI of the file, relative to the working directory if possible. For a message, that of the repository."""
    path = Path(located.repository, located.path)
    here = Path.cwd()
    absolute = path.absolute()
    if absolute != here and absolute.is_relative_to(here):
        return quote(bytes(absolute.relative_to(here)))
    return f"file://{quote(bytes(absolute))}"
