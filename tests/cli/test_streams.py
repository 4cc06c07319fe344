"""A command ends properly with any standard streams, pipes, devices and signals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import SCRIPT, CommandLine, Finished
from tests.cli.test_main import react_to_interrupts
from tests.client.scripted_server import Reply, ScriptedServer, Seen, success

KEY = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"


@pytest.fixture
def somebody(keybearer: CommandLine, scripted: ScriptedServer) -> CommandLine:
    """A person with a valid zuliprc."""
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(f"[api]\nemail=a@x.org\nkey={KEY}\nsite={scripted.site}\n")
    zuliprc.chmod(0o600)
    return keybearer


def in_shell(person: CommandLine, command: str, **environ: str) -> Finished:
    """Run a line of shell in which $K is the command."""
    env = {"PATH": os.environ["PATH"], "HOME": str(person.home), "LANG": "C.UTF-8", "K": SCRIPT, **environ}
    done = subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, text=True, timeout=60, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "command",
    [
        "login http://localhost:1 --email a@x.org --password-stdin <&-",
        "login http://localhost:1 --email a@x.org --api-key-stdin <&-",
        "send --to b@x.org - <&-",
        "api POST messages content@- <&-",
        "show -c - <&-",
        "show >&-",
        "export >&-",
        "whoami --json >&-",
        "profiles >&-",
        "--help >&-",
        "--version >&-",
        "show -c - <&- >&-",
    ],
)
def test_a_closed_stream_that_is_needed_is_reported_in_one_line(somebody: CommandLine, command: str) -> None:
    done = in_shell(somebody, f'exec "$K" {command}')

    assert done.code == 1
    assert done.out == ""
    assert done.complaint.startswith("keybearer: ")


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_stream_that_is_not_needed_has_no_effect(somebody: CommandLine, closed: str) -> None:
    assert in_shell(somebody, f'exec "$K" show {closed}').code == 0
    assert in_shell(somebody, f'exec "$K" show -c /nowhere {closed}').code == 1


def test_a_file_opened_later_does_not_replace_a_closed_stream(somebody: CommandLine) -> None:
    before = (somebody.home / ".zuliprc").read_bytes()
    in_shell(somebody, 'exec "$K" doctor --fix --yes --offline <&- >&- 2>&-')

    assert (somebody.home / ".zuliprc").read_bytes() == before


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_another_program_gets_the_original_streams(somebody: CommandLine, closed: str) -> None:
    (somebody.home / "look.py").write_text("raise SystemExit(7)")
    done = in_shell(somebody, f'exec "$K" exec -- {sys.executable} "$HOME/look.py" {closed}')

    assert done.code == 7
    assert in_shell(somebody, f'exec "$K" exec -- /bin/true {closed}') == Finished(0, "", "")


READING = [["show"], ["doctor", "--offline"], ["regenerate", "--yes"], ["logout", "--yes"]]


@pytest.mark.soak
@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
def test_the_command_stops_waiting_for_a_silent_pipe(somebody: CommandLine, command: list[str]) -> None:
    pipe = somebody.home / "pipe"
    os.mkfifo(pipe)
    done = somebody.process(*command, "-c", str(pipe))

    assert done.code == 1
    assert "nothing was written to it" in done.out + done.err


def test_the_command_waits_for_a_slow_pipe(somebody: CommandLine) -> None:
    pipe = somebody.home / "pipe"
    os.mkfifo(pipe)
    text = (somebody.home / ".zuliprc").read_text()

    def write() -> None:
        with pipe.open("w") as writer:  # waits for the reader
            for part in (text[:20], text[20:]):
                time.sleep(0.2)
                writer.write(part)
                writer.flush()

    writing = threading.Thread(target=write)
    writing.start()
    done = somebody.process("show", "-c", str(pipe))
    writing.join()

    assert done.code == 0
    assert "a@x.org" in done.out


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/random", "/dev/full"])
@pytest.mark.parametrize("command", [["show"], ["doctor", "--offline"], ["logout", "--yes"]], ids=" ".join)
def test_a_device_is_refused_as_a_zuliprc(somebody: CommandLine, command: list[str], device: str) -> None:
    done = somebody(*command, "-c", device)

    assert done.code == 1
    assert "it is a device" in done.out + done.err


@pytest.mark.parametrize("how", ["$K show -c - < $HOME/.zuliprc", "cat $HOME/.zuliprc | $K show -c -"])
def test_a_dash_is_standard_input(somebody: CommandLine, how: str) -> None:
    done = in_shell(somebody, how)

    assert done.code == 0
    assert "/dev/stdin:2" in done.out


@pytest.mark.parametrize("reader", ["true", "head -c 1"])
@pytest.mark.parametrize("command", ["show", "--help", "api GET users/me"])
def test_output_to_a_closed_pipe_ends_silently(somebody: CommandLine, command: str, reader: str) -> None:
    assert in_shell(somebody, f'"$K" {command} | {reader} >/dev/null').err == ""


@pytest.fixture
def slow_server(scripted: ScriptedServer) -> Iterator[ScriptedServer]:
    """A server that does not answer before the end of the test."""
    over = threading.Event()

    def wait(seen: Seen) -> Reply:
        over.wait(30)
        return success()

    scripted.otherwise = wait
    yield scripted
    over.set()


TELLS_OF_OUR_FIRST_IMPORT = """
import sys

def tell(event, arguments):
    if event == "import" and arguments[0] == "keybearer.cli.main":
        open({path!r}, "w").close()

sys.addaudithook(tell)
"""
"""Waits until our first line has run, since Python itself handles Ctrl-C before that."""


@pytest.mark.parametrize("after", [0.0, 0.02, 0.06, 0.1, 0.3])
def test_ctrl_c_while_the_command_is_loading_ends_with_130_and_without_a_traceback(
    somebody: CommandLine, slow_server: ScriptedServer, tmp_path: Path, after: float
) -> None:
    runs = tmp_path / "runs"
    (tmp_path / "sitecustomize.py").write_text(TELLS_OF_OUR_FIRST_IMPORT.format(path=str(runs)), "utf-8")
    process = subprocess.Popen(
        [SCRIPT, "whoami"],
        env={"PATH": os.environ["PATH"], "HOME": str(somebody.home), "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=react_to_interrupts,  # noqa: PLW1509 - nothing but the handler is set, and no lock is taken
    )
    deadline = time.monotonic() + 60
    while not runs.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, b"")
    assert err.strip() == b"keybearer: Stopped"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_during_the_spinner_leaves_the_cursor_visible(
    somebody: CommandLine, slow_server: ScriptedServer, number: signal.Signals, code: int
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        react_to_interrupts()
        environ = {"PATH": os.environ["PATH"], "HOME": str(somebody.home), "TERM": "xterm"}
        os.execve(SCRIPT, [SCRIPT, "whoami"], environ)  # noqa: S606 - no shell is wanted
    shown = _read_until(terminal, "\x1b[?25l")
    os.kill(pid, number)
    shown += _read_until(terminal, None)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == code
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
    assert "Traceback" not in shown


def _read_until(terminal: int, text: str | None) -> str:
    """The output of the terminal up to `text`, or until its program has ended."""
    shown = ""
    deadline = time.monotonic() + 30
    while text is None or text not in shown:
        assert time.monotonic() < deadline, shown
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:  # on Linux, this means that the other end is closed
            return shown
        if not data:
            return shown
        shown += data.decode(errors="replace")
    return shown


@pytest.mark.parametrize("terminal", ["dumb", "unknown"])
def test_a_dumb_terminal_gets_no_control_sequences(somebody: CommandLine, terminal: str) -> None:
    (somebody.home / ".zuliprc").chmod(0o644)  # which causes a warning
    for command in (["show"], ["doctor", "--offline"]):
        assert "\x1b" not in somebody.on_terminal(*command, TERM=terminal).out


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_a_terminal_with_another_encoding_causes_no_error(somebody: CommandLine, encoding: str) -> None:
    text = (somebody.home / ".zuliprc").read_text().replace("a@x.org", "jösé→@x.org")
    (somebody.home / ".zuliprc").write_text(text, encoding="utf-8")
    for command in (["show"], ["doctor", "--offline"], ["show", "--json"]):
        done = subprocess.run(
            [SCRIPT, *command],
            env={"PATH": os.environ["PATH"], "HOME": str(somebody.home), "PYTHONIOENCODING": encoding},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {0, 1}, done
        assert b"Internal error" not in done.stdout + done.stderr
