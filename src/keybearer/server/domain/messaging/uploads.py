"""Uploaded files: what is stored about one, and how it may be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

MAX_SIZE_MIB = 25
MAX_SIZE = MAX_SIZE_MIB * 1024 * 1024
CHUNK_SIZE = 256 * 1024
"""Bytes of a file that are written or read at once. Every chunk of a file has this size, except the last."""

NAME_MAX_LENGTH = 100
"""In bytes of UTF-8: file systems count bytes, and most allow 255."""

SHOWN_NAME_MAX_LENGTH = 255
NAMELESS = "uploaded-file"

INLINE_TYPES = frozenset(
    {"application/pdf", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm", "image/apng", "image/avif", "image/gif",
     "image/jpeg", "image/png", "image/webp", "text/plain", "video/mp4", "video/ogg", "video/webm"}
)  # fmt: skip
"""Types that a browser may display. All others, above all HTML and SVG, can only be saved."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file. `path` is its place below `/user_uploads/`. Nobody can guess it, and its last part is the file's name."""

    id: int
    path: str
    account_id: int
    name: str
    content_type: str
    size: int
    created_at: datetime


def shown_name(name: str) -> str:
    """A file's name as people see it and save it: one line, without directories of any system."""
    last = re.split(r"[/\\]", name)[-1].strip()[:SHOWN_NAME_MAX_LENGTH]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last) or NAMELESS


def safe_name(name: str) -> str:
    """A file's name as it can stand in a path."""
    kept = re.sub(r"[^\w.\-]+", "-", shown_name(name)).strip(".-")
    stem, dot, suffix = kept.rpartition(".")
    if len(suffix) >= 20:
        stem, dot, suffix = kept, "", ""
    end = (dot + suffix).encode()
    kept = stem.encode()[: NAME_MAX_LENGTH - len(end)].decode(errors="ignore") + end.decode()
    return kept or NAMELESS


def safe_content_type(content_type: str) -> str:
    """A type that can stand in a header: `application/octet-stream` if the type from the client is not valid."""
    plain = content_type.partition(";")[0].strip().lower()
    good = re.fullmatch(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", plain)
    return plain if good else "application/octet-stream"
