"""The password command: another program prints the API key, so no file contains it as plain text.

The command is run without a shell and without input. Its output and its stderr are never logged, shown or put into an
error.
"""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.store.home import home_directory
from keybearer.wording import counted
from keybearer.zuliprc.literal import has_control_character, has_quotes_around
from keybearer.zuliprc.resolver import PasswordCommand
from keybearer.zuliprc.sources import ZuliprcFile

TIMEOUT = 60.0
"""Seconds after which a command is stopped. It may be waiting for the passphrase of a keyring."""

MOST_OUTPUT = 1 << 16
"""The most bytes that a command may print."""

_LOOK_EVERY = 0.05
"""Seconds between two checks whether the command has ended."""

_RUN_IT_YOURSELF = "Run the command yourself to see what it says"
_INSTALLED_BY = {"keyring": "Run: pip install 'keybearer[keyring]'"}
"""Programs that one of our extras installs."""


def require_trustworthy(file: ZuliprcFile, place: str) -> None:
    """Refuse a command that another user could have written: kind `passcmd_unsafe`.

    The file must be a regular one that belongs to the user of this process, and only that user may write it.
    """
    if file.owner is None or file.mode is None:
        fault = "in a file whose owner is unknown"
    elif file.owner != os.geteuid():
        fault = "in a file that belongs to another user"
    elif file.mode & 0o022:
        fault = "in a file that another user can write"
    else:
        return
    raise ResolutionError(
        "passcmd_unsafe",
        f"passcmd is {fault}, so it is not run",
        place=place,
        hint="Put it into a file that you own, with mode 600",
    )


def fetch_key(command: PasswordCommand, environ: Mapping[str, str], *, timeout: float = TIMEOUT) -> Secret:
    """Run the command and return the first line that it prints.

    A relative path of the program is relative to the zuliprc's directory; a name without a slash is looked up in PATH.
    Raises ResolutionError of kind `passcmd_failed`, or `passcmd_timeout` after `timeout` seconds.
    """
    place = str(command.origin)
    arguments = _arguments(command, environ)
    if not arguments:
        raise _failed("passcmd is not a command: a quote is not closed, or it is empty", place)
    process = _start(arguments, environ)
    if process is None:
        hint = _INSTALLED_BY.get(arguments[0], "Check its name and that you may run it")
        raise _failed("The program in passcmd cannot be run", place, hint=hint)
    with process:
        output = _read(process, time.monotonic() + timeout)
        status = None if output is None else process.returncode
    if output is None:
        raise ResolutionError(
            "passcmd_timeout",
            f"The command was stopped after {counted(timeout, 'second')}",
            place=place,
            hint=_RUN_IT_YOURSELF,
        )
    if status:
        how = f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"
        raise _failed(f"The command {how}", place)
    return _key_in(output, place)


def _arguments(command: PasswordCommand, environ: Mapping[str, str]) -> list[str]:
    """The program and its arguments, split as a shell would, with `~` expanded and nothing else."""
    try:
        words = shlex.split(command.text.reveal())
    except ValueError:
        return []
    home, beside = home_directory(environ), str(Path(command.origin.path).parent)
    if home is not None:
        words = [home + word[1:] if word == "~" or word.startswith("~/") else word for word in words]
    if words and "/" in words[0]:
        words[0] = str(Path(beside, words[0]))
    return words


def _start(arguments: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """The running command; None if it cannot be run. It stays in our process group, so it can use the terminal."""
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
        )
    except (OSError, ValueError):
        return None


def _read(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """Everything that the command prints until it ends; None if it was stopped at the deadline.

    A process that it leaves behind may keep the output open, and is not waited for. A command that prints more than
    `MOST_OUTPUT` is stopped too, and fails with the signal that stopped it.
    """
    assert process.stdout is not None
    output = b""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(output) <= MOST_OUTPUT:
                ended = process.poll() is not None  # checked first, so that nothing is printed after the last read
                if not selector.select(0.0 if ended else min(_LOOK_EVERY, max(0.0, deadline - time.monotonic()))):
                    if ended:
                        return output
                    if time.monotonic() >= deadline:
                        return None
                    continue
                chunk = os.read(process.stdout.fileno(), MOST_OUTPUT)
                output += chunk
                if not chunk:
                    process.wait(max(0.0, deadline - time.monotonic()))
                    return output
        return output
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _key_in(output: bytes, place: str) -> Secret:
    try:
        text = output.partition(b"\n")[0].decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise _failed("The first line that the command printed has no key", place)
    if has_control_character(text) or has_quotes_around(text):
        raise _failed("The first line that the command printed is not just a key", place)
    return Secret(text)


def _failed(message: str, place: str, hint: str = _RUN_IT_YOURSELF) -> ResolutionError:
    return ResolutionError("passcmd_failed", message, place=place, hint=hint)
