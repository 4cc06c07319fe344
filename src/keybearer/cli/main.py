"""The `keybearer` command: finds the module of a command, and turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from keybearer._version import __version__
from keybearer.errors import KeybearerError

COMMANDS: dict[str, str] = {
    "init": "keybearer.cli.init",
}
"""Command → the module that has it under that name. A module is loaded when its command is run, not before."""


class LazyGroup(click.Group):
    """A group whose commands live in modules of their own; listing them reads one line each from `SUMMARIES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name])
            command: Any = getattr(module, cmd_name.replace("-", "_"))
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keybearer")
def keybearer() -> None:
    """Zulip API keys and zuliprc files: the server that issues them, and what uses them."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 an expected failure told in one line, 2 wrong usage."""
    try:
        code = keybearer.main(args=arguments, prog_name="keybearer", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except KeybearerError as error:
        click.echo(f"keybearer: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
