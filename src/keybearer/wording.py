"""Words for numbers in messages."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """`1 second`, `2 seconds`, `0.5 seconds`."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
