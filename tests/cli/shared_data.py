"""The files of the wheel in `share/`: the manual page and the completions, made from the commands themselves.

`python -m tests.cli.shared_data` writes them again.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from click.testing import CliRunner

from keybearer._version import __version__
from keybearer.cli.commands.show import show
from keybearer.cli.main import TRACEBACK_VARIABLE
from keybearer.cli.main import keybearer as group
from keybearer.zuliprc.fields import FIELDS
from tests.cli.reference import HEADINGS, commands_under, own_options, takes_credentials

DIRECTORY = Path(__file__).parents[2] / "share"

COMPLETIONS = {
    "bash": "bash-completion/completions/keybearer",
    "zsh": "zsh/site-functions/_keybearer",
    "fish": "fish/vendor_completions.d/keybearer.fish",
}
"""The path below `share/` where each shell looks for completions."""

OPENING = rf"""
.TH KEYBEARER 1 "" "Keybearer {__version__}" "User Commands"
.SH NAME
keybearer \- use, issue and invalidate Zulip API keys
.SH SYNOPSIS
.B keybearer
.I COMMAND
.RI [ OPTIONS ]
.RI [ ARGUMENTS ]
.SH DESCRIPTION
"""

CLOSING = rf"""
.SH "EXIT STATUS"
.TP
0
Success.
.TP
1
An expected failure. One line on standard error says what is wrong and what to do next.
\fBscan\fR also ends with 1 if it has found a key, and \fBdoctor\fR and \fBadmin check\fR if they have found a fault.
.TP
2
Wrong usage.
.TP
130
Ctrl\-C stopped it. For another signal, the code is 128 plus its number.
.SH ENVIRONMENT
.TP
.B ZULIP_CONFIG
The zuliprc to read instead of \fI~/.zuliprc\fR.
.TP
.B ZULIP_PROFILE
The profile to use, if ZULIP_CONFIG is not set.
{{variables}}
.TP
.B NO_COLOR
Switches colours off.
.TP
.B {TRACEBACK_VARIABLE}
If set to 1, adds the traceback to the report of an internal error.
.SH FILES
.TP
.I ~/.zuliprc
The credentials that are used by default. Its mode is 0600.
.TP
.I $XDG_CONFIG_HOME/zulip/NAME.zuliprc
The profile NAME. The directory is \fI~/.config/zulip\fR if XDG_CONFIG_HOME is not set.
.TP
.I $XDG_DATA_HOME/keybearer
The data of a server. It is \fI~/.local/share/keybearer\fR if XDG_DATA_HOME is not set.
"""


def render() -> dict[str, str]:
    """The text of each file, by its path below `share/`."""
    completions = {path: _completion(shell) for shell, path in COMPLETIONS.items()}
    return {"man/man1/keybearer.1": manual(), **completions}


def manual() -> str:
    """The manual page, for man(1): every command with its options."""
    variables = [_item(field.variable, field.meaning) for field in FIELDS.values() if field.variable]
    pieces = [OPENING.strip(), _prose(group.help or "")]
    for heading in HEADINGS:
        pieces.append(f'.SH "{heading.upper()}"')
        for name, command in commands_under(heading):
            pieces += _about(command, f"keybearer {name}")
    pieces += ['.SH "OPTIONS FOR CREDENTIALS"', *_options(show.params)]
    pieces.append(CLOSING.strip().replace("{variables}", "\n".join(variables)))
    return "\n".join(pieces) + "\n"


def _about(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path)
    yield f'.SS "{path}"'
    yield f".B {path}"
    yield from (f".I {_escaped(piece)}" for piece in command.collect_usage_pieces(context))
    yield ".PP"
    yield _prose(command.help or "")
    if takes_credentials(command):
        yield ".PP\nTakes the options for credentials, which are listed at the end."
    yield from _options(own_options(command))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _about(below, f"{path} {name}")


def _options(parameters: Sequence[click.Parameter]) -> Iterator[str]:
    for one in parameters:
        record = one.get_help_record(click.Context(show)) if isinstance(one, click.Option) else None
        if record is not None:
            yield _item(*record)


def _item(name: str, meaning: str) -> str:
    return f".TP\n.B {_escaped(name)}\n{_text(meaning)}"


def _prose(text: str) -> str:
    """Help text for troff. Paragraphs that click does not wrap keep their lines, and code is bold."""
    return "\n.PP\n".join(_paragraph(block) for block in re.split(r"\n\s*\n", inspect.cleandoc(text)))


def _paragraph(block: str) -> str:
    if block.startswith("\b"):
        return f".nf\n{_escaped(block.removeprefix(chr(8)).strip(chr(10)))}\n.fi"
    return _text(block)


def _text(text: str) -> str:
    """A sentence or several, with code in bold."""
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", _escaped(text))


def _escaped(text: str) -> str:
    """Text in which nothing is an instruction to troff."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("^", r"\(ha")
    return re.sub(r"^\.", r"\&.", plain.replace("~", r"\(ti"), flags=re.MULTILINE)


def _completion(shell: str) -> str:
    return CliRunner().invoke(group, ["completion", shell], catch_exceptions=False).stdout


def main() -> None:
    """Write the files."""
    for path, text in render().items():
        (DIRECTORY / path).parent.mkdir(parents=True, exist_ok=True)
        (DIRECTORY / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
