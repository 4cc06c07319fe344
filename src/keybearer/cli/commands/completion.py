"""`keybearer completion`: the code with which a shell completes our commands and options."""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_KEYBEARER_COMPLETE"
"""The variable with which a shell's function asks for completions. click defines the name."""


@click.command()
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str | None) -> None:
    """Print the code that lets your shell complete commands.

    The default is the shell in the variable SHELL.

    \b
        bash:  echo 'eval "$(keybearer completion bash)"' >> ~/.bashrc
        zsh:   echo 'eval "$(keybearer completion zsh)"' >> ~/.zshrc
        fish:  keybearer completion fish > ~/.config/fish/completions/keybearer.fish
    """
    name = shell or PurePath(os.environ.get("SHELL", "")).name
    found = get_completion_class(name) if name in SHELLS else None
    if found is None:
        raise click.UsageError(f"Name the shell: {', '.join(SHELLS)}.")
    click.echo(found(context.find_root().command, {}, "keybearer", VARIABLE).source())
