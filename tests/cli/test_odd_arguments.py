"""With any arguments, a command ends with a defined exit code."""

from __future__ import annotations

import itertools
from pathlib import Path

import click
import pytest

from keybearer.cli.main import COMMANDS, SERVER
from keybearer.cli.main import keybearer as group
from tests.cli.command_line import CommandLine

ODD = ["", " ", "-", "--", "\udcff", "a\x1b[2Jb", "x" * 5000, "/dev/null", "/proc/self/mem", "%(x)s", "./.", "0", "ü"]


CONTENTS = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00",
    "no key": b"[api]\nkey=\n",
    "half a header": b"[api\nkey=x",
    "every byte": bytes(range(256)),
}


def _commands() -> list[tuple[str, ...]]:
    """Every client command, including those in groups."""
    names: list[tuple[str, ...]] = []
    for name, row in COMMANDS.items():
        command = group.get_command(click.Context(group), name)
        below = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else []
        if row.heading != SERVER and name != "exec":  # exec, which becomes another program
            names += [(name, one) for one in below] or [(name,)]
    return names


def _parameters(names: tuple[str, ...]) -> dict[str | None, click.Parameter]:
    command: click.Command | None = group
    for name in names:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    return {one.name: one for one in command.params}


@pytest.fixture
def somebody(keybearer: CommandLine) -> CommandLine:
    """A person whose server does not exist."""
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text("[api]\nemail=a@x.org\nkey=q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me\nsite=http://localhost:1\n")
    zuliprc.chmod(0o600)
    return keybearer


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_odd_arguments_give_exit_code_0_1_or_2_and_no_internal_error(
    command: tuple[str, ...], somebody: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for odd in [[], *([one] for one in ODD), *(list(two) for two in itertools.pairwise(ODD))]:
        done = somebody(*command, *odd, stdin="\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))

        assert done.code in {0, 1, 2}, (odd, done)
        assert "Internal error" not in done.err, (odd, done)
        assert "Traceback" not in done.err, (odd, done)


def _reading() -> list[tuple[str, ...]]:
    """The commands that read the active zuliprc."""
    return [names for names in _commands() if names != ("login",) and "config_file" in _parameters(names)]


@pytest.mark.parametrize("command", _reading(), ids=" ".join)
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_an_odd_file_is_reported_in_one_line(command: tuple[str, ...], content: bytes, keybearer: CommandLine) -> None:
    (keybearer.home / ".zuliprc").write_bytes(content)
    arguments = [one for one in _parameters(command).values() if isinstance(one, click.Argument)]

    done = keybearer(*command, *("x" for _ in arguments))

    assert done.code in {0, 1, 2}
    assert "Internal error" not in done.err
