"""Text that is safe to show on a terminal."""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """`text` without line breaks and control characters: what a server sent must not move the cursor."""
    return _UNPRINTABLE.sub(" ", text).strip()
