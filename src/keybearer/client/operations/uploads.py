"""Files to upload, read into memory, so that a call can be sent again."""

from __future__ import annotations

import os
from typing import IO

from keybearer.client.operations.operation import FilePart
from keybearer.errors import UnusableRequest


def file_part(file: IO[bytes]) -> FilePart:
    """The rest of a file that was opened in binary mode, with its name but without its directory."""
    content = file.read()
    if not isinstance(content, bytes):
        raise UnusableRequest("A file to upload is open in text mode", hint='Open it with open(path, "rb")')
    name = getattr(file, "name", None)
    own = os.path.basename(name) if isinstance(name, str) else ""  # noqa: PTH119 - pathlib loads slowly
    return FilePart(own or "file", content)
