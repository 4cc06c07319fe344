"""Text that is safe to show on a terminal."""

from __future__ import annotations

from keybearer.cli.terminal.text import one_line


def test_text_from_others_cannot_move_the_cursor() -> None:
    assert one_line("a\x1b[2J\nb\r\u2028c\x9b1m") == "a [2J b c 1m"
