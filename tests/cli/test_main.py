"""The exit code and output of a run, and which modules it loads."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from keybearer.cli.main import COMMANDS, TRACEBACK_VARIABLE
from keybearer.cli.main import keybearer as group
from tests.cli.command_line import SCRIPT, CommandLine


def test_an_unknown_command_is_wrong_usage_and_names_the_likely_one(keybearer: CommandLine) -> None:
    done = keybearer.process("scann")

    assert done.code == 2
    assert done.out == ""
    assert "'scann'. Did you mean 'scan'?" in done.complaint


@pytest.mark.parametrize(
    "arguments",
    [["--nonsense"], ["scan"], ["scan", "--nonsense", "."], ["show", "--config-file"], ["completion", "tcsh"]],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_that_names_the_help_and_ends_with_2(
    keybearer: CommandLine, arguments: list[str]
) -> None:
    done = keybearer(*arguments)

    assert done.code == 2
    assert "--help`" in done.complaint


def test_python_m_keybearer_runs_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "keybearer", "scann"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("keybearer: There is no command 'scann'.")


def test_the_bare_command_shows_the_help(keybearer: CommandLine) -> None:
    done = keybearer()

    assert done.code == 2
    assert "scan" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "missing"],
        ["show", "--config-file", "missing"],
        ["show", "--config-file", "."],
        ["show", "--profile", "../x"],
        ["whoami"],
        ["whoami", "--email", "a@x.org", "--site", "https://x.org"],
    ],
    ids=" ".join,
)
def test_an_expected_failure_is_one_line_and_ends_with_1(keybearer: CommandLine, arguments: list[str]) -> None:
    done = keybearer(*arguments)

    assert done.code == 1
    assert done.out == ""
    assert done.complaint.startswith("keybearer: ")


def test_a_closed_pipe_ends_a_command_silently(keybearer: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "many").write_text("".join(f"ZULIP_API_KEY={number:032d}ab\n" for number in range(1, 9)))
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([SCRIPT, "--help"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)

    assert process.communicate()[1] == b""
    assert process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_a_failure(keybearer: CommandLine) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([SCRIPT, "--version"], stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1


def react_to_interrupts() -> None:
    """Background jobs of a shell ignore interrupts, and so do their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_command_stops_without_a_traceback(keybearer: CommandLine) -> None:
    process = subprocess.Popen(
        [SCRIPT, "scan", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=react_to_interrupts,  # noqa: PLW1509 - nothing but the handler is set, and no lock is taken
    )
    assert process.stdin is not None
    process.stdin.write(b"x" * (3 << 20))  # more than a pipe holds: when this returns, the command is reading
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()

    assert process.returncode == 130
    assert err.strip() == b"keybearer: Stopped"


def test_an_internal_error_is_reported_by_its_place_without_its_message() -> None:
    """A message may contain a key. The command is a real one, with an error that is inserted before it runs."""
    program = (
        "import keybearer.cli.main as m, click\n"
        "m.COMMANDS['broken'] = m.ListedCommand(m.MORE, '__main__', '')\n"
        "@click.command()\n"
        "def broken():\n"
        "    raise ValueError('TERCESbk'[::-1])\n"  # Python 3.13 shows the line of code, which is no secret
        "m.main(['broken'])\n"
    )
    short = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    long = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={TRACEBACK_VARIABLE: "1"}
    )

    assert (short.returncode, long.returncode) == (1, 1)
    assert short.stderr.count("\n") == 1
    assert "ValueError" in short.stderr
    assert "in broken" in long.stderr
    assert "SECRET" not in short.stderr + long.stderr


def test_the_list_of_commands_has_the_summary_of_each_command() -> None:
    context = click.Context(group)
    for name, row in COMMANDS.items():
        command = group.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").partition("\n")[0].strip() == row.summary, name


def test_listing_the_commands_loads_none_of_them() -> None:
    program = (
        "import sys\n"
        "from keybearer.cli.main import COMMANDS, main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    print(sorted({row.module for row in COMMANDS.values()} & sys.modules.keys()))\n"
        "    print(sorted({'rich', 'httpcore2', 'ssl', 'asyncio', 'json'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]


def test_every_command_has_help_for_each_of_its_options() -> None:
    def check(command: click.Command, path: str) -> None:
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{path} {parameter.name}"
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                below = command.get_command(click.Context(command), name)
                assert below is not None
                check(below, f"{path} {name}")

    check(group, "keybearer")


def test_every_option_for_a_password_or_key_causes_a_warning() -> None:
    """Every user of the machine can see the command line."""

    def options(command: click.Command) -> set[str]:
        own = {name for one in command.params if isinstance(one, click.Option) and not one.is_flag for name in one.opts}
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                below = command.get_command(click.Context(command), name)
                assert below is not None
                own |= options(below)
        return own

    assert {name for name in options(group) if re.search("password|key|secret|token", name)} == {
        "--api-key",
        "--client-cert-key",
        "--tls-key",
    }
