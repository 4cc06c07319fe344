"""A visit: an admitted request for a page, and the answers it can give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import NotPermitted, Overloaded, Refused, TooManyAttempts, TryLater, Unauthenticated
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.sessions import LIFETIME, Session
from keybearer.server.http import csrf, form_tokens
from keybearer.server.http.admission import Admission, Admitted
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_name
from keybearer.server.web.notices import Notice, find_notice
from keybearer.server.web.rendering import render
from keybearer.server.web.wording import field_of, refusal_words

NOTICE_COOKIE = "notice"
THEME_COOKIE = "theme"
THEMES = {"light": "Light", "dark": "Dark"}
"""The themes that somebody can choose, in place of that of their device."""
ASKED_FOR = b"x-asked-for"
LOCATION = "X-Location"

# Not "cookies": browsers take that to mean those of the whole registrable domain, our neighbours' too. Ours are deleted
# by name.
CLEAR_SITE_DATA = '"cache", "storage"'


@final
class Visit(Admitted):
    """An admitted request for a page, and the answers it can give.

    A page's script says whether it wants a page for a dialog, without its frame, or whole.
    """

    __slots__ = ("_has_confirmed", "_is_anonymous")

    def __init__(self, admission: Admission, *, is_anonymous: bool = False) -> None:
        super().__init__(admission)
        self._is_anonymous = is_anonymous
        self._has_confirmed = False

    def anonymous(self) -> Visit:
        """The same visit, rendered as if nobody were signed in and nothing were set up: for pages about failures."""
        return Visit(self._admission, is_anonymous=True)

    @property
    def query(self) -> Mapping[str, str]:
        """The fields of the query string."""
        return self._admission.fields.query

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of the form."""
        return self._admission.fields.form

    @property
    def is_by_script(self) -> bool:
        """Whether a script asks, and not the browser itself."""
        return self.request.header(ASKED_FOR) is not None

    @property
    def is_dialog(self) -> bool:
        """Whether a script asks for what it will show in a dialog."""
        return self.request.header(ASKED_FOR) == "dialog"

    @property
    def account(self) -> Account | None:
        """The account that is signed in, None where nobody is."""
        found = None if self._is_anonymous else self._admission.identified
        return None if found is None else found.caller.account

    @property
    def session(self) -> Session | None:
        """The session that the browser came with, None where nobody is signed in."""
        return self._admission.session

    @property
    def realm_or_none(self) -> Realm | None:
        """The organization, None before set-up."""
        return None if self._is_anonymous else self._admission.realm

    @property
    def realm(self) -> Realm:
        """The organization. Only pages that exist after set-up may ask."""
        assert self._admission.realm is not None
        return self._admission.realm

    @property
    def is_confirmed(self) -> bool:
        """Whether the password was given recently enough for what shows or changes one's own key."""
        return self._has_confirmed or (self.session is not None and self.session.is_confirmed(self.context.clock()))

    def note_confirmed(self) -> None:
        """The password was just given in this form: what else of it is refused, it is not asked for again."""
        self._has_confirmed = True

    @property
    def sends_mail(self) -> bool:
        """Whether this server has a mail server to send mails by."""
        return self.context.settings.smtp_url is not None

    @property
    def caller_once(self) -> Caller:
        """Who calls, by a form that is carried out once: the next transaction uses its one-time token up.

        For forms whose answer is a page that shows what they made. Raises FormTooOld.
        """
        submitted = self.form.get(form_tokens.FIELD, "")
        return self.caller._replace(form=form_tokens.read_token(self.request, submitted, self.context.clock()))

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
        return self.request.cookies.get(cookie_name(name, self.request.scheme))

    @property
    def theme(self) -> str | None:
        """The theme that was chosen in this browser; None for that of the device."""
        chosen = self.cookie(THEME_COOKIE)
        return chosen if chosen in THEMES else None

    def render(self, template: str, *, status: int = 200, **values: object) -> Response:
        """The page of a template, with what every page shows."""
        notice = find_notice(self.cookie(NOTICE_COOKIE))
        token = csrf.token_for(self.request)
        page = render(
            template,
            {
                "csrf_token": token,
                "layout": self._layout,
                "me": self.account,
                "notice": notice.value if notice and not self.is_dialog else None,
                "now": self.context.clock(),
                "once": lambda: form_tokens.new_token(self.request, self.context.clock()),
                "path": self.request.path,
                "realm": self.realm_or_none,
                "sends_mail": self.sends_mail,
                "status": status,
                "theme": self.theme,
                **values,
            },
        )
        response = HTMLResponse(page, status)
        if notice is not None and not self.is_dialog:
            self.delete_cookie(response, NOTICE_COOKIE)
        if not (self.cookie(SESSION_COOKIE) or self.cookie(csrf.COOKIE)):
            self.set_cookie(response, csrf.COOKIE, token)
        return response

    def render_form(
        self, template: str, refusal: Refused | ResolutionError | None = None, **values: object
    ) -> Response:
        """The page of a form: as it is at first, or again with the reason why what it asked for was refused.

        The reason is `error` in the template, the field that it is about `wrong`; values of these names replace them.
        A limit says when to try again.
        Raises the refusal where no form helps: the caller's right to be here has ended, or the server is busy.
        """
        if isinstance(refusal, Unauthenticated | Overloaded):
            raise refusal
        values.setdefault("error", None if refusal is None else refusal_words(refusal))
        values.setdefault("wrong", None if refusal is None else field_of(refusal))
        if refusal is None:
            return self.render(template, status=200, **values)
        if isinstance(refusal, Refused):
            self._admission.refusal = refusal
        status = 429 if isinstance(refusal, TooManyAttempts) else 403 if isinstance(refusal, NotPermitted) else 400
        response = self.render(template, status=status, **values)
        if isinstance(refusal, TryLater):
            response.headers["retry-after"] = str(math.ceil(refusal.retry_after))
        return response

    @property
    def _layout(self) -> str:
        if self.is_dialog:
            return "layouts/dialog.html"
        return "layouts/settings.html" if self.account else "layouts/card.html"

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
            cookie_name(name, self.request.scheme),
            value,
            max_age=max_age,
            path="/",
            secure=self.request.scheme == "https",
            httponly=True,
            samesite="lax",
        )

    def delete_cookie(self, response: Response, name: str) -> None:
        """Delete a cookie of ours."""
        response.delete_cookie(
            cookie_name(name, self.request.scheme),
            path="/",
            secure=self.request.scheme == "https",
            httponly=True,
            samesite="lax",
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
