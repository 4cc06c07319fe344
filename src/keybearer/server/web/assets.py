"""Static files: small, read once, and addressed by a digest of all of them, so that browsers may cache them for
ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.responses import Response

PREFIX = "/static/"
REALM_ICON = f"{PREFIX}icon.svg"
"""The URL of the organization's icon on the wire, for clients that may be pages of other sites."""

FOREVER = "public, max-age=31536000, immutable"

FOR_A_DAY = "public, max-age=86400"
ICON = "favicon.svg"

_DIRECTORY = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file's content, ready to be sent."""

    content: bytes
    media_type: str


class Assets:
    """The files below `static/`, by their path there. Modules import each other by relative paths, so one digest is
    enough.
    """

    def __init__(self, files: Mapping[str, Asset]) -> None:
        self._files = files
        digest = hashlib.sha256()
        for name, asset in sorted(files.items()):
            digest.update(name.encode() + b"\0" + asset.content + b"\0")
        self._digest = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """The URL of a file. Raises KeyError if the file does not exist."""
        self._files[name]
        return f"{PREFIX}{self._digest}/{name}"

    def find(self, path: str) -> Response | None:
        """The answer to a request for `path`. None if this release has no such file."""
        if path == "/favicon.ico":
            return self._answer(ICON, FOR_A_DAY)
        if path == REALM_ICON:
            icon = self._answer(ICON, FOR_A_DAY)
            icon.headers["cross-origin-resource-policy"] = "cross-origin"
            return icon
        digest, _, name = path.removeprefix(PREFIX).partition("/")
        if path.startswith(PREFIX) and digest == self._digest and name in self._files:
            return self._answer(name, FOREVER)
        return None

    def _answer(self, name: str, cache_control: str) -> Response:
        asset = self._files[name]
        return Response(asset.content, media_type=asset.media_type, headers={"cache-control": cache_control})


@cache
def load_assets() -> Assets:
    """The static files of this release."""
    found = {
        path.relative_to(_DIRECTORY).as_posix(): Asset(path.read_bytes(), _MEDIA_TYPES[path.suffix])
        for path in _DIRECTORY.rglob("*")
        if path.is_file()
    }
    return Assets(found)
