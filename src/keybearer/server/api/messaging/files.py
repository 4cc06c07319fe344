"""`/user_uploads/…`: the uploaded files, each served as what it is and never as a page of this site."""

from __future__ import annotations

from math import ceil
from typing import Any, final
from urllib.parse import quote

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from keybearer.server.api.answers import key_expires
from keybearer.server.domain.errors import (
    KeyRefused,
    NoSuchFile,
    NotLoggedIn,
    Overloaded,
    Refused,
    TooManyAttempts,
    Unauthenticated,
)
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.uploads import INLINE_TYPES, Upload
from keybearer.server.domain.rules import EVERYBODY, OPEN, Way
from keybearer.server.http.admission import Admission, Doorway
from keybearer.server.http.body import NO_BODY
from keybearer.server.http.front_door import Failed
from keybearer.server.http.ranges import PartialResponse
from keybearer.server.http.request import Request
from keybearer.server.http.routing import MethodNotAllowed, Prefix, Route, Router
from keybearer.server.services.messaging import upload_contents, uploads

PREFIX = Prefix("/user_uploads/", Way.KEY | Way.SESSION | Way.NOBODY)

_HEADERS = {
    # Whatever type the file claims, a browser runs nothing in it and guesses nothing about it.
    "content-security-policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
}


async def show_by_link(admission: Admission) -> Response:
    """The file of a temporary link."""
    return await _file(admission, await uploads.find_by_link(admission.context, admission.ids["token"]))


async def show(admission: Admission) -> Response:
    """A file that the caller may see."""
    path = "/".join(admission.ids.values())
    return await _file(admission, await uploads.find(admission.context, admission.caller, path))


ROUTES = (
    Route("GET", "temporary/{token}/{filename}", show_by_link, OPEN, NO_BODY),
    Route("GET", "{realm_id}/{folder}/{directory}/{filename}", show, EVERYBODY.may(Scope.READ), NO_BODY),
    Route("GET", "{realm_id}/{directory}/{filename}", show, EVERYBODY.may(Scope.READ), NO_BODY),
)


async def _file(admission: Admission, upload: Upload) -> Response:
    content = await upload_contents.find(admission.context, upload)
    kind = upload.content_type
    manner = "inline" if kind in INLINE_TYPES else "attachment"
    quoted = quote(upload.name)
    name = f'filename="{upload.name}"' if quoted == upload.name else f"filename*=utf-8''{quoted}"
    headers = {
        **_HEADERS,
        "content-type": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        "content-disposition": f"{manner}; {name}",
    }
    return PartialResponse(admission.request, content.size, content.read, headers)


@final
class FilesDoor:
    """Uploaded files, for a key, a session or a temporary link. Refusals are plain text."""

    doorway = Doorway()
    router = Router(PREFIX, ROUTES)

    def find_file(self, request: Request) -> None:
        return None

    async def answer(self, admission: Admission, route: Route) -> Response:
        response: Any = await route.handler(admission)
        assert isinstance(response, Response)
        response.raw_headers.extend(key_expires(admission))
        return response

    async def refuse(self, admission: Admission, refusal: Refused) -> Response:
        request, headers, status = admission.request, dict(_HEADERS), 400
        by_key = request.header(b"authorization") is not None
        if isinstance(refusal, NotLoggedIn) and not by_key and "text/html" in (request.header(b"accept") or ""):
            return RedirectResponse(f"/login/?next={quote(request.path)}", 302, _HEADERS)
        if isinstance(refusal, Unauthenticated):
            status, headers["www-authenticate"] = 401, f'{"Basic" if by_key else "Session"} realm="zulip"'
        elif isinstance(refusal, KeyRefused):
            status = 403
        elif isinstance(refusal, TooManyAttempts):
            status, headers["retry-after"] = 429, str(ceil(refusal.retry_after))
        elif isinstance(refusal, MethodNotAllowed):
            status, headers["allow"] = 405, "GET, HEAD"
        elif isinstance(refusal, NoSuchFile):
            status = 404
        elif isinstance(refusal, Overloaded):
            status, headers["retry-after"] = 503, str(refusal.retry_after)
        elif isinstance(refusal, Failed):
            status = 500
        response = PlainTextResponse(f"{refusal.wire_message}\n", status, headers)
        response.raw_headers.extend(key_expires(admission))
        return response
