"""Writes a form with files (RFC 7578)."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Sequence

from keybearer.client.operations.operation import FilePart

_ESCAPES = {code: f"%{code:02X}" for code in (*range(32), 127)} | {ord('"'): "%22", ord("\\"): "\\\\"}
"""How a name is written: quotes and control characters cannot end it."""


def multipart(pairs: Sequence[tuple[str, str]], files: Sequence[FilePart]) -> tuple[str, bytes]:
    """The form's media type and its bytes. The files are called `file`, `file1`, `file2` and so on."""
    boundary = secrets.token_hex(16)
    parts = [(_named(name), value.encode()) for name, value in pairs]
    for number, file in enumerate(files):
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        head = f'{_named(f"file{number}" if number else "file")}; filename="{file.name.translate(_ESCAPES)}"'
        parts.append((f"{head}\r\nContent-Type: {kind}", file.content))
    lines = [
        line
        for head, content in parts
        for line in (f"--{boundary}".encode(), head.encode("utf-8", "replace"), b"", content)
    ]
    return f"multipart/form-data; boundary={boundary}", b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])


def _named(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"'
