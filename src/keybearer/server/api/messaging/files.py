"""`/user_uploads/…`: uploaded files themselves, each served as what it is and never as a page of this site."""

from __future__ import annotations

import logging
from typing import final
from urllib.parse import quote

from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import NotLoggedIn, Refused, TooManyAttempts, Unauthenticated
from keybearer.server.domain.messaging.uploads import INLINE_TYPES, Upload
from keybearer.server.domain.permissions import PERMISSIONS
from keybearer.server.domain.rules import check_entry
from keybearer.server.middleware.authentication import KeyAuthentication, authenticate_session
from keybearer.server.middleware.origins import header, origin_of, scheme_of
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import uploads
from keybearer.server.services.messaging.uploads import NoSuchFile

PREFIX = "/user_uploads/"
_TEMPORARY = "temporary/"
_RULE = PERMISSIONS["GET user_uploads/{realm_id}/{directory}/{filename}"]
"""Who may have a link to a file may have the file."""

_HEADERS = {
    # Whatever the file claims to be, a browser runs nothing in it and guesses nothing about it.
    "content-security-policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
}


_log = logging.getLogger(__name__)


@final
class Files:
    """The ASGI application of uploaded files. A key, a session or a temporary link lets one in."""

    def __init__(self, context: Context, keys: KeyAuthentication) -> None:
        self._context = context
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._response(scope)
        except Exception:  # noqa: BLE001  as everywhere on the wire: the log has the trace, the client a plain 500
            _log.exception("%s of an uploaded file failed", scope["method"])
            response = PlainTextResponse("Internal server error\n", 500, _HEADERS)
        await response(scope, receive, send)

    async def _response(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed\n", 405, {**_HEADERS, "allow": "GET, HEAD"})
        path = scope["path"].removeprefix(PREFIX)
        try:
            if path.startswith(_TEMPORARY):
                return self._file(await uploads.find_by_link(self._context, path.split("/")[1]))
            return self._file(await uploads.find(self._context, await self._caller(scope), path))
        except Refused as error:
            return _refusal(scope, error)

    async def _caller(self, scope: Scope) -> Caller:
        proxies = self._context.settings.trusted_proxies
        origin = origin_of(scope, proxies)
        authorization = header(scope, b"authorization")
        if authorization is not None:
            admitted = await self._keys.authenticate(authorization, header(scope, b"host") or "", origin)
            check_entry(_RULE, admitted.caller.account, by_session=False)
            return admitted.caller.under(_RULE)
        visitor = await authenticate_session(self._context, scope, scheme_of(scope, proxies), origin)
        if visitor is None:
            raise NotLoggedIn
        if not visitor.realm.answers_for(header(scope, b"host") or ""):
            raise Refused("Account is not associated with this subdomain")
        check_entry(_RULE, visitor.caller.account, by_session=True)
        return visitor.caller.under(_RULE)

    def _file(self, upload: Upload) -> Response:
        place = uploads.place_of(self._context, upload.path)
        if not place.is_file():
            raise NoSuchFile("Invalid file")
        kind = upload.content_type
        return FileResponse(
            place,
            headers=_HEADERS,
            media_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
            filename=upload.name,
            content_disposition_type="inline" if kind in INLINE_TYPES else "attachment",
        )


def _refusal(scope: Scope, error: Refused) -> Response:
    headers, status = dict(_HEADERS), 400
    if isinstance(error, Unauthenticated):
        by_key = header(scope, b"authorization") is not None
        if not by_key and "text/html" in (header(scope, b"accept") or ""):
            return RedirectResponse(f"/login/?next={quote(scope['path'])}", 302, _HEADERS)
        status, headers["www-authenticate"] = 401, f'{"Basic" if by_key else "Session"} realm="zulip"'
    elif isinstance(error, TooManyAttempts):
        status, headers["retry-after"] = 429, str(error.retry_after)
    elif isinstance(error, NoSuchFile):
        status = 404
    return PlainTextResponse(f"{error.wire_message}\n", status, headers)
