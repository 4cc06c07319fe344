"""The page about stolen secrets is followed while a server serves: afterwards nothing that was stolen opens
anything.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner

from keybearer.cli.commands.admin.command import admin
from keybearer.errors import SecretRingError
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.services import accounts, joining, multiuse_invitations, outbox, passwords
from keybearer.server.services.context import Context
from keybearer.server.services.server_data import opened
from keybearer.server.settings import Settings
from keybearer.server.storage import api_keys
from tests.databases import finish
from tests.server_process import OWNER_EMAIL, running_server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "stolen-secrets.md"
COMMANDS = re.findall(r"^\s*\$ keybearer admin (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


FIELD = 'name="new_password1"'


async def make_links(context: Context) -> Secret:
    """What a thief finds: the link of an invitation for several people, and a mail with a link that resets a
    password.
    """
    owner = await accounts.find_for_operator(context, OWNER_EMAIL)
    _, token = await multiuse_invitations.create(context, Caller(owner), role=Role.MEMBER)
    await passwords.request_reset(context, OWNER_EMAIL, RequestOrigin("198.51.100.7"))
    return token


def test_after_following_the_page_nothing_that_was_stolen_works(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        several = server.on_data(make_links)
        old_key = server.api_key_of()
        stolen = Settings(data_dir=tmp_path / "stolen")
        stolen.data_dir.mkdir()
        for name in ("keybearer.db", "keybearer.db-wal", "secrets.json"):
            shutil.copy(server.data_dir / name, stolen.data_dir / name)

        async def read_mails(context: Context) -> str:
            return "".join(mail.text or "" for mail in await outbox.find(context, limit=100))

        async def with_stolen_secrets(context: Context) -> str:
            async with opened(stolen) as thief, context.reading() as connection:
                owner = await accounts.find_for_operator(context, OWNER_EMAIL)
                (revealed,) = await api_keys.reveal_account_keys(connection, thief.ring, [owner.id])
                return revealed.api_key.reveal()

        async def in_the_stolen_copy() -> tuple[str, str]:
            async with opened(stolen) as thief:
                return await read_mails(thief), await with_stolen_secrets(thief)

        mails, key = finish(in_the_stolen_copy())
        assert key == old_key
        reset = re.search(r"/accounts/password/reset/([\w-]+)/", mails)
        assert reset is not None
        assert call(server.site, old_key) == 200

        assert FIELD in httpx2.get(f"{server.site}{reset[0]}", timeout=30).text
        for command in COMMANDS:
            done = CliRunner().invoke(admin, ["--data-dir", str(server.data_dir), *shlex.split(command)])
            assert done.exit_code == 0, (command, done.output)

        assert call(server.site, old_key) == 401
        assert call(server.site, server.api_key_of()) == 200
        with pytest.raises(SecretRingError, match="lacks the secret"):
            server.on_data(with_stolen_secrets)
        assert server.on_data(lambda context: joining.find(context, several)) is None
        assert FIELD not in httpx2.get(f"{server.site}{reset[0]}", timeout=30).text
    assert len(COMMANDS) == 5


def call(site: str, key: str) -> int:
    return httpx2.get(f"{site}/api/v1/users/me", auth=(OWNER_EMAIL, key), timeout=30).status_code
