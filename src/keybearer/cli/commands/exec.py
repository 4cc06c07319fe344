"""`keybearer exec`: run another program with the credentials in its environment."""

from __future__ import annotations

import os
import signal
import sys

import click

from keybearer.cli.credential_variables import environment
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.errors import FileError


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@credential_options
def run(given: GivenCredentials, *, command: tuple[str, ...]) -> None:
    """Run COMMAND with the credentials in its environment.

    \b
        keybearer exec --profile work -- zulip-send --stream ops --subject deploys -m "Deployed"

    Zulip's variables are set to the active credentials. All other variables for credentials are removed, including
    ZULIP_CONFIG and ZULIP_PROFILE. The command replaces this program, so you get its exit code.
    """
    environ = environment(given.resolve().credentials, os.environ)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these signals, and the command would ignore them too
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - running a program is what this is for
    except OSError as error:
        reason = error.strerror
    except ValueError:
        reason = "No program can have this name"
    raise FileError(f"{command[0]} cannot be run: {reason}", hint="Check its name and PATH")


exec = run  # noqa: A001 - the command line finds a command under its own name
