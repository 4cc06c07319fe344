"""A refused form is returned in one way: a status, the reason, and what had been filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape

import httpx2
import pytest
from sqlalchemy import update

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.links import LinkPurpose
from keybearer.server.http import form_tokens
from keybearer.server.http.cookies import SESSION_COOKIE
from keybearer.server.http.csrf import FIELD
from keybearer.server.http.routing import Route
from keybearer.server.services.context import Context, utc_now
from keybearer.server.storage import links
from keybearer.server.storage.tables import sessions
from keybearer.server.web.routes import ROUTES
from tests.server_process import OWNER_PASSWORD, RunningServer, running_server
from tests.web.organization import Organization
from tests.web.probes import path_of
from tests.web.visitor import token_in
from tests.web.waiting_mail import UNREACHABLE

TOKEN = "a-token-of-a-link"
POSTS = {page.path: page for page in ROUTES if page.method == "POST"}


@dataclass(frozen=True)
class Refusal:
    """What is posted, and how it is returned. `kept` is markup of the page with what was chosen."""

    fields: Mapping[str, str]
    words: str
    status: int = 400
    kept: tuple[str, ...] = ()
    times: int = 1
    by_nobody: bool = field(default=False)


SIGN_IN = Refusal(
    {"username": "somebody@example.com", "password": "wrong"}, "Incorrect email or password.", 200,
    ('value="somebody@example.com"',), by_nobody=True,
)  # fmt: skip
WEAK = {"new_password1": "password", "new_password2": "password"}
NAME_RULE = "Please leave out"

OLD_PASSWORD = Refusal({}, "Please enter your password again", 403)
NO_DATE = Refusal(
    {"name": "Backup", "scope_manage": "on", "ends": "date", "networks": "192.0.2.0/24"}, "Choose the date on which",
    kept=('value="Backup"', 'name="scope_manage" checked', '<option value="date" selected>', 'value="192.0.2.0/24"'),
)  # fmt: skip
NARROWED = Refusal({**NO_DATE.fields, "ends": ""}, OLD_PASSWORD.words, 403, ('value="Backup"', 'value="192.0.2.0/24"'))
ANEW = Refusal({"overlap": "3600"}, OLD_PASSWORD.words, 403, ('<option value="3600" selected>',))

REFUSED: Mapping[str, Refusal] = {
    "/login/": SIGN_IN,
    "/accounts/login/": SIGN_IN,
    "/accounts/password/reset/": Refusal(
        {"email": "somebody@example.com"}, "Too many attempts.", 429, ('value="somebody@example.com"',), 3, True
    ),
    "/accounts/password/reset/{token}/": Refusal(WEAK, "New password is too weak!", by_nobody=True),
    "/join/{token}/": Refusal(
        {"full_name": "Petra *", "password": OWNER_PASSWORD}, NAME_RULE, kept=('value="Petra *"',), by_nobody=True
    ),
    "/messages/": Refusal(
        {"to": "channel:1", "topic": "a\x07", "content": "kept"}, "Invalid character in topic", kept=(">kept<",)
    ),
    "/messages/new/": Refusal(
        {"to": "people:1", "content": ""}, "Message must not be empty", kept=('value="people:1" selected',)
    ),
    "/messages/{message_id}/edit/": Refusal(
        {"content": f"{'[a][r]' * 900}\n\n[r]: https://example.com/{'x' * 1000}"}, "Unable to render message",
        kept=("[a][r]",),
    ),
    "/settings/account/name/": Refusal({"full_name": "Olivia *"}, NAME_RULE, kept=('value="Olivia *"',)),
    "/settings/account/email/": Refusal(
        {"email": "olivia@example.org", "password": "wrong"}, "Password is incorrect.",
        kept=('value="olivia@example.org"',),
    ),
    "/settings/account/display/": Refusal(
        {"timezone": "Mars/Base", "theme": "dark"}, "This time zone does not exist.",
        kept=('<option value="dark" selected>',),
    ),
    "/settings/account/privacy/": Refusal({"email_visibility": "77"}, "Choose who can see your email."),
    "/settings/account/password/": Refusal(
        {"old_password": "wrong", "replace_key": "on", **WEAK}, "Wrong password!", kept=('name="replace_key" checked',)
    ),
    "/settings/account/deactivate/": Refusal({"password": "wrong"}, "Password is incorrect."),
    "/settings/account/api-key/": Refusal({"password": "wrong"}, "Error: Password is incorrect."),
    "/settings/account/api-key/regenerate/": OLD_PASSWORD,
    "/settings/account/api-key/zuliprc/": OLD_PASSWORD,
    "/settings/account/api-keys/add/": NO_DATE,
    "/settings/account/api-keys/{key_id}/change/": NARROWED,
    "/settings/account/api-keys/{key_id}/regenerate/": ANEW,
    "/settings/account/api-keys/{key_id}/revoke/": OLD_PASSWORD,
    "/settings/bots/{bot_id}/api-keys/add/": NO_DATE,
    "/settings/bots/{bot_id}/api-keys/{key_id}/change/": NARROWED,
    "/settings/bots/{bot_id}/api-keys/{key_id}/regenerate/": ANEW,
    "/settings/bots/{bot_id}/api-keys/{key_id}/revoke/": OLD_PASSWORD,
    "/settings/bots/{bot_id}/hand-over/": OLD_PASSWORD,
    "/settings/bots/{bot_id}/reactivate/": OLD_PASSWORD,
    "/organization/users/{account_id}/reactivate/": OLD_PASSWORD,
    "/organization/users/{account_id}/reset-link/": Refusal({}, "This server sends mail"),
    "/organization/invitations/{invitation_id}/resend/": OLD_PASSWORD,
    "/organization/api-keys/{key_id}/revoke/": OLD_PASSWORD,
    "/settings/bots/add/": Refusal(
        {"full_name": "Build watcher", "short_name": "twice", "bot_type": "1"}, OLD_PASSWORD.words, 403,
        kept=('value="Build watcher"', 'value="twice"'),
    ),
    "/settings/bots/{bot_id}/": Refusal(
        {"full_name": "Lunch oracle", "role": "600"}, "Name is already in use.",
        kept=('value="Lunch oracle"', '<option value="600" selected>'),
    ),
    "/organization/users/{account_id}/": Refusal(
        {"full_name": "Milan *", "role": "600"}, NAME_RULE, kept=('value="Milan *"', '<option value="600" selected>')
    ),
    "/organization/users/{account_id}/deactivate/": Refusal(
        {"comment": "See you soon."}, OLD_PASSWORD.words, 403, kept=("See you soon.",)
    ),
    "/organization/invitations/add/": Refusal(
        {"emails": "new@example.com", "role": "600"}, OLD_PASSWORD.words, 403,
        kept=("new@example.com", '<option value="600" selected>'),
    ),
    "/organization/policies/": Refusal(
        {"can_invite": "3", "longest_api_key_days": "30", "default_api_key_days": ""},
        "Please enter a default life too", kept=('<option value="3" selected>', 'value="30"'),
    ),
    "/settings/bots/botserverrc/": Refusal({}, "Choose at least one bot."),
    "/organization/profile/": Refusal(
        {"organization": " ", "description": "kept"}, "The organization's name needs", kept=(">kept<",)
    ),
}  # fmt: skip

BUTTONS = {
    "/logout/",
    "/accounts/logout/",
    "/settings/bots/{bot_id}/deactivate/",
    "/settings/account/email/confirm/{token}/",
    "/accounts/email/undo/{token}/",
    "/messages/{message_id}/react/",
    "/settings/bots/{bot_id}/messages/",
    "/settings/bots/{bot_id}/api-key/",
    "/settings/bots/{bot_id}/api-key/regenerate/",
    "/settings/bots/{bot_id}/zuliprc/",
    "/hand-over/{token}/",
    "/zuliprc/",
    "/settings/sessions/sign-out-others/",
    "/settings/sessions/{session_id}/sign-out/",
    "/settings/devices/{device_id}/sign-out/",
    "/organization/invitations/{invitation_id}/revoke/",
}
"""Forms without a field. Their refusals are shown on a separate page."""
TESTED_WITH_THE_SET_UP = {"/setup/{token}/"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with a mail server that it cannot reach. Without one, there is no form for a new password."""
    with running_server(tmp_path_factory.mktemp("web") / "data", environ=UNREACHABLE) as running:
        yield running


def test_every_form_has_a_refusal_to_test() -> None:
    assert set(POSTS) == REFUSED.keys() | BUTTONS | TESTED_WITH_THE_SET_UP


async def prepare(context: Context) -> None:
    """Links to join and to choose a password, and sessions whose password was given long ago."""
    async with context.change(None) as change:
        for purpose, account_id, role in (
            (LinkPurpose.INVITATION, None, Role.MEMBER),
            (LinkPurpose.PASSWORD_RESET, 1, None),
        ):
            await links.add(
                change.connection, Secret(f"{TOKEN}-{purpose.value}"), purpose, at=change.now, realm_id=1,
                account_id=account_id, email="petra@example.com", role=role,
                created_by=1 if account_id is None else None,
            )  # fmt: skip
        long_ago = change.now - timedelta(hours=1)
        await change.connection.execute(update(sessions).values(confirmed_at=long_ago))


@pytest.fixture(scope="module")
def prepared(server: RunningServer, owner: httpx2.Client) -> None:
    server.on_data(prepare)


def where(page: Route, organization: Organization) -> str:
    purpose = LinkPurpose.INVITATION if page.path.startswith("/join/") else LinkPurpose.PASSWORD_RESET
    if page.path == "/organization/users/{account_id}/deactivate/":
        return f"/organization/users/{organization.owner.id}/deactivate/"
    return path_of(page, organization).replace("no-such-token", f"{TOKEN}-{purpose.value}")


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("path", REFUSED)
def test_a_refused_form_says_why_and_keeps_what_was_chosen(
    owner: httpx2.Client, nobody: httpx2.Client, organization: Organization, path: str
) -> None:
    expected, url = REFUSED[path], where(POSTS[path], organization)
    client = nobody if expected.by_nobody else owner
    token = token_in(client.get("/login/" if expected.by_nobody else "/settings/account/").text)
    once = form_tokens.token_of_session(client.cookies.get(SESSION_COOKIE) or "", utc_now())
    form = {FIELD: token, form_tokens.FIELD: once, **expected.fields}
    *_, answer = [client.post(url, data=form) for _ in range(expected.times)]
    assert answer.status_code == expected.status, answer.text
    assert ("retry-after" in answer.headers) is (expected.status == 429)
    alert = re.search(r'role="alert".*?<p>(.*?)</p>', answer.text, re.DOTALL)
    assert alert is not None, answer.text
    assert expected.words in unescape(alert[1])
    for kept in expected.kept:
        assert kept in unescape(answer.text), answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/settings/bots/999999/deactivate/", 404),
        ("/settings/sessions/999999/sign-out/", 400),
        ("/organization/users/999999/reactivate/", 404),
        ("/organization/invitations/999999/revoke/", 404),
    ],
)
def test_a_button_that_is_refused_leads_to_a_page_that_says_why(owner: httpx2.Client, path: str, status: int) -> None:
    answer = owner.post(path, data={FIELD: token_in(owner.get("/settings/account/").text)})
    assert answer.status_code == status
    assert re.search(r"<h1>[^<]+</h1>.*?<p>[^<]+</p>", answer.text, re.DOTALL), answer.text
