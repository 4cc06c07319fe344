"""A visit: an admitted request for a page, and its possible answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
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
from keybearer.server.services.turns import Slot
from keybearer.server.web.notices import Notice, find_notice
from keybearer.server.web.rendering import render
from keybearer.server.web.wording import field_of, refusal_words

NOTICE_COOKIE = "notice"
THEME_COOKIE = "theme"
THEMES = {"light": "Light", "dark": "Dark"}
"""The themes that somebody can choose instead of the device's."""
ASKED_FOR = b"x-asked-for"
LOCATION = "X-Location"

# Not "cookies": browsers apply that to the whole registrable domain, including our neighbours'. Our own cookies are
# deleted by name.
CLEAR_SITE_DATA = '"cache", "storage"'


@final
class Visit(Admitted):
    """An admitted request for a page, and its possible answers.

    A page's script says whether it wants a page for a dialog, without the frame, or a whole page.
    """

    __slots__ = ("_has_confirmed", "_is_anonymous", "_slot")

    def __init__(self, admission: Admission, slot: Slot | None = None, *, is_anonymous: bool = False) -> None:
        """`slot` is one of those for pages that are written at the same time, if the visit has one."""
        super().__init__(admission)
        self._slot = slot
        self._is_anonymous = is_anonymous
        self._has_confirmed = False

    def anonymous(self) -> Visit:
        """The same visit, rendered as if nobody were signed in and nothing were set up. For pages about failures."""
        return Visit(self._admission, is_anonymous=True)

    def leaving_slot(self) -> AbstractAsyncContextManager[None]:
        """A block that may wait for others, such as a search for its turn. Meanwhile other pages are written."""
        return nullcontext() if self._slot is None else self._slot.left()

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
        """Whether a script sent the request, not the browser itself."""
        return self.request.header(ASKED_FOR) is not None

    @property
    def is_dialog(self) -> bool:
        """Whether a script will show the answer in a dialog."""
        return self.request.header(ASKED_FOR) == "dialog"

    @property
    def account(self) -> Account | None:
        """The signed-in account. None if nobody is signed in."""
        found = None if self._is_anonymous else self._admission.identified
        return None if found is None else found.caller.account

    @property
    def session(self) -> Session | None:
        """The browser's session. None if nobody is signed in."""
        return self._admission.session

    @property
    def realm_or_none(self) -> Realm | None:
        """The organization, None before set-up."""
        return None if self._is_anonymous else self._admission.realm

    @property
    def realm(self) -> Realm:
        """The organization. Only for pages that exist after set-up."""
        assert self._admission.realm is not None
        return self._admission.realm

    @property
    def is_confirmed(self) -> bool:
        """Whether the password was given recently enough to show or change one's own key."""
        return self._has_confirmed or (self.session is not None and self.session.is_confirmed(self.context.clock()))

    def note_confirmed(self) -> None:
        """Record that the password was just given in this form, so that the form does not ask for it again after
        another refusal.
        """
        self._has_confirmed = True

    @property
    def sends_mail(self) -> bool:
        """Whether this server has a mail server for sending mails."""
        return self.context.settings.smtp_url is not None

    @property
    def caller_once(self) -> Caller:
        """The caller, by a form that is carried out once: the next transaction uses up its one-time token.

        For forms whose answer is a page that shows what they created. Raises FormTooOld.
        """
        submitted = self.form.get(form_tokens.FIELD, "")
        return self.caller._replace(form=form_tokens.read_token(self.request, submitted, self.context.clock()))

    def id(self, name: str) -> int:
        """A number from the path."""
        return int(self.ids[name])

    def token(self) -> Secret:
        """The one-time token from the path."""
        return Secret(self.ids["token"])

    def text(self, name: str) -> str:
        """A field of the form, without surrounding blanks. Empty if it is missing."""
        return self.form.get(name, "").strip()

    def password(self, name: str) -> Secret:
        """A password field, unchanged."""
        return Secret(self.form.get(name, ""))

    def number(self, name: str) -> int | None:
        """A field that contains a number. None if it is missing or empty. Raises Refused for anything else."""
        text = self.text(name)
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Refused(f"{name} is not an integer")
        return int(text)

    def cookie(self, name: str) -> str | None:
        """One of our cookies, by its plain name."""
        return self.request.cookies.get(cookie_name(name, self.request.scheme))

    @property
    def theme(self) -> str | None:
        """The theme that was chosen in this browser. None for the device's theme."""
        chosen = self.cookie(THEME_COOKIE)
        return chosen if chosen in THEMES else None

    def render(self, template: str, *, status: int = 200, **values: object) -> Response:
        """The page of a template, with the values that every page shows."""
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
        """The page of a form: at first, or again with the reason why the request was refused.

        The reason is `error` in the template, its field is `wrong`; values with these names replace them. A limit says
        when to try again. Raises the refusal if no form helps: the caller's right to be here has ended, or the server
        is busy.
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
        """Redirect to one of our pages. A script is given the path and decides which parts of the page to renew."""
        response: Response
        if self.is_by_script:
            response = Response(status_code=204, headers={LOCATION: quote(path, safe="/?&=%+,#")})
        else:
            response = RedirectResponse(path, status)
        if notice is not None:
            self.set_cookie(response, NOTICE_COOKIE, notice.name, max_age=60)
        return response

    def sign_in(self, response: Response, token: Secret) -> Response:
        """Give the browser a session and its token, which Zulip's clients read from the cookie."""
        lifetime = int(LIFETIME.total_seconds())
        self.set_cookie(response, SESSION_COOKIE, token.reveal(), max_age=lifetime)
        self.set_cookie(response, csrf.COOKIE, csrf.token_of_session(token.reveal()), max_age=lifetime)
        return response

    def signed_out(self, *, notice: Notice) -> Response:
        """Redirect to the sign-in page without a session. The browser is told to delete what it has stored of this
        site.
        """
        response = self.redirect("/login/", notice=notice, status=302)
        self.delete_cookie(response, SESSION_COOKIE)
        self.delete_cookie(response, csrf.COOKIE)
        response.headers["clear-site-data"] = CLEAR_SITE_DATA
        return response

    def set_cookie(self, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
        """Set a cookie that scripts cannot read and that requests from other sites do not carry."""
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
        """Delete one of our cookies."""
        response.delete_cookie(
            cookie_name(name, self.request.scheme),
            path="/",
            secure=self.request.scheme == "https",
            httponly=True,
            samesite="lax",
        )


def safe_path(wanted: str, default: str = "/") -> str:
    """`wanted` if it is a path on this site, else `default`, so that no link leads from here to another site.

    It also avoids a loop: below `/api/` a session does not count, and browsers are sent from there to sign in.
    """
    # Browsers treat a backslash as a slash, and drop blanks of all kinds.
    is_path = wanted.startswith("/") and not wanted.startswith(("//", "/api/"))
    return wanted if is_path and wanted.isprintable() and "\\" not in wanted else default


def login_path(next_path: str) -> str:
    """The sign-in page, which returns to `next_path` afterwards."""
    return "/login/" if next_path == "/" else f"/login/?next={quote(next_path, safe='/')}"
