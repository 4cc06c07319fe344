"""A visit: one request for a page, as its handler sees it, and the answers it can give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope

from keybearer.errors import KeybearerError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.errors import Refused, TooManyAttempts
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.sessions import LIFETIME, Session
from keybearer.server.middleware import csrf
from keybearer.server.middleware.authentication import SESSION_COOKIE, Admitted, cookie_name, cookies
from keybearer.server.middleware.origins import header
from keybearer.server.services.context import Context
from keybearer.server.web.notices import Notice, find_notice
from keybearer.server.web.rendering import render
from keybearer.server.web.wording import refusal_words

FORM_MAX_LENGTH = 64 * 1024
FORM_MAX_FIELDS = 200
NOTICE_COOKIE = "notice"
ASKED_FOR = b"x-asked-for"
LOCATION = "X-Location"

# Not "cookies": browsers take that to mean those of the whole registrable domain, our neighbours' too. Ours are deleted
# by name.
CLEAR_SITE_DATA = '"cache", "storage"'


@dataclass(frozen=True, slots=True)
class Visit:
    """The request: `ids` are the numbers and tokens of the path, `query` and `form` its fields, the last one winning.

    A page's script says whether it wants a page for a dialog, that is without its frame, or whole.
    """

    context: Context
    scope: Scope
    scheme: str
    origin: RequestOrigin
    realm_or_none: Realm | None
    admitted: Admitted | None
    ids: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """The path that was asked for."""
        return str(self.scope["path"])

    @property
    def host(self) -> str:
        """The Host header, by the client's word."""
        return header(self.scope, b"host") or ""

    @property
    def is_by_script(self) -> bool:
        """Whether a script asks, and not the browser itself."""
        return header(self.scope, ASKED_FOR) is not None

    @property
    def caller(self) -> Caller:
        """Who is signed in. Only pages that let nobody in unknown may ask."""
        assert self.admitted is not None
        return self.admitted.caller

    @property
    def account(self) -> Account | None:
        """The account that is signed in, None where nobody is."""
        return None if self.admitted is None else self.admitted.caller.account

    @property
    def session(self) -> Session | None:
        """The session that the browser came with, None where nobody is signed in."""
        return None if self.admitted is None else self.admitted.session

    @property
    def realm(self) -> Realm:
        """The organization. Only pages that exist after set-up may ask."""
        assert self.realm_or_none is not None
        return self.realm_or_none

    @property
    def is_confirmed(self) -> bool:
        """Whether the password was given recently enough for what shows or changes one's own key."""
        return self.session is not None and self.session.is_confirmed(self.context.clock())

    def id(self, name: str) -> int:
        """A number out of the path."""
        return int(self.ids[name])

    def token(self) -> Secret:
        """The one-time token out of the path."""
        return Secret(self.ids["token"])

    def text(self, name: str) -> str:
        """A field of the form, without outer blanks; empty where it is missing."""
        return self.form.get(name, "").strip()

    def password(self, name: str) -> Secret:
        """A password field: taken as it is."""
        return Secret(self.form.get(name, ""))

    def number(self, name: str) -> int | None:
        """A field that holds a number; None where it is missing or empty. Raises Refused for anything else."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Refused(f"{name} is not an integer")
        return int(text)

    def cookie(self, name: str) -> str | None:
        """A cookie of ours by its plain name."""
        return cookies(self.scope).get(cookie_name(name, self.scheme))

    def render(self, template: str, *, status: int = 200, **values: object) -> Response:
        """The page of a template, with what every page shows."""
        notice = find_notice(self.cookie(NOTICE_COOKIE))
        token = csrf.token_for(self.scope, self.scheme)
        page = render(
            template,
            {
                "csrf_token": token,
                "layout": self._layout,
                "me": self.account,
                "notice": notice.value if notice and not self.is_dialog else None,
                "now": self.context.clock(),
                "path": self.path,
                "realm": self.realm_or_none,
                **values,
            },
        )
        response = HTMLResponse(page, status)
        if notice is not None and not self.is_dialog:
            self.delete_cookie(response, NOTICE_COOKIE)
        if not (self.cookie(SESSION_COOKIE) or self.cookie(csrf.COOKIE)):
            self.set_cookie(response, csrf.COOKIE, token)
        return response

    def refuse(self, template: str, refusal: Refused | KeybearerError, **values: object) -> Response:
        """The page of a form again, with what its wish was refused for, and when to come back where that is known."""
        values.setdefault("error", refusal_words(refusal))
        if not isinstance(refusal, TooManyAttempts):
            return self.render(template, status=400, **values)
        response = self.render(template, status=429, **values)
        response.headers["retry-after"] = str(math.ceil(refusal.retry_after))
        return response

    @property
    def _layout(self) -> str:
        if self.is_dialog:
            return "layouts/dialog.html"
        return "layouts/settings.html" if self.admitted else "layouts/card.html"

    @property
    def is_dialog(self) -> bool:
        """Whether a script asks for what it will show in a dialog."""
        return header(self.scope, ASKED_FOR) == "dialog"

    def redirect(self, path: str, *, notice: Notice | None = None, status: int = 303) -> Response:
        """Lead on to a page of ours. A script is told the path and decides what of the page to renew."""
        response: Response
        if self.is_by_script:
            response = Response(status_code=204, headers={LOCATION: quote(path, safe="/?&=%")})
        else:
            response = RedirectResponse(path, status)
        if notice is not None:
            self.set_cookie(response, NOTICE_COOKIE, notice.name, max_age=60)
        return response

    def sign_in(self, response: Response, token: Secret) -> Response:
        """Give the browser a session, and the token that belongs to it: Zulip's clients read that from its cookie."""
        lifetime = int(LIFETIME.total_seconds())
        self.set_cookie(response, SESSION_COOKIE, token.reveal(), max_age=lifetime)
        self.set_cookie(response, csrf.COOKIE, csrf.token_of_session(token.reveal()), max_age=lifetime)
        return response

    def signed_out(self, *, notice: Notice) -> Response:
        """Lead to the sign-in page without a session; the browser is told to forget what it has stored of us."""
        response = self.redirect("/login/", notice=notice, status=302)
        self.delete_cookie(response, SESSION_COOKIE)
        self.delete_cookie(response, csrf.COOKIE)
        response.headers["clear-site-data"] = CLEAR_SITE_DATA
        return response

    def set_cookie(self, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
        """Set a cookie that scripts cannot read and other sites' requests do not carry."""
        response.set_cookie(
            cookie_name(name, self.scheme),
            value,
            max_age=max_age,
            path="/",
            secure=self.scheme == "https",
            httponly=True,
            samesite="lax",
        )

    def delete_cookie(self, response: Response, name: str) -> None:
        """Delete a cookie of ours."""
        response.delete_cookie(
            cookie_name(name, self.scheme), path="/", secure=self.scheme == "https", httponly=True, samesite="lax"
        )


def safe_path(wanted: str, default: str = "/") -> str:
    """`wanted` if it is a path on this site, else `default`: nobody is led elsewhere by a link to us.

    Nor in a circle: below `/api/` a session counts for nothing, and browsers are sent from there to sign in.
    """
    # Browsers take a backslash for a slash, and leave blanks of all kinds out.
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/api/"))
    return wanted if is_path and wanted.isprintable() and "\\" not in wanted else default


def login_path(next_path: str) -> str:
    """Where to sign in, coming back to `next_path` afterwards."""
    return "/login/" if next_path == "/" else f"/login/?next={quote(next_path, safe='/')}"


def parse_query(scope: Scope) -> dict[str, str]:
    """The fields of the query string."""
    return _fields(scope["query_string"])


async def read_form(receive: Receive) -> dict[str, str]:
    """The fields of a urlencoded body. Raises Refused where it is too large to be a form of ours."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > FORM_MAX_LENGTH:
            raise Refused("This form is too large.")
    return _fields(body)


def _fields(encoded: bytes) -> dict[str, str]:
    try:
        fields = dict(parse_qsl(encoded.decode("ascii"), keep_blank_values=True, max_num_fields=FORM_MAX_FIELDS))
    except ValueError:
        raise Refused("This form cannot be read.") from None
    if any("\0" in text for text in fields.values()):  # no text of ours has it, and PostgreSQL cannot keep it
        raise Refused("This form cannot be read.")
    return fields
