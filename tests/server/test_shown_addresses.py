"""Pages, mails and events show others only addresses that their owners show to them."""

from __future__ import annotations

import json
from pathlib import Path

from keybearer.server.domain.accounts import EmailVisibility, Role
from keybearer.server.services import email_changes
from tests.in_process import InProcessServer, Known, prepared, serving


async def test_the_pages_of_users_show_only_addresses_that_visibility_allows(tmp_path: Path, database_url: str) -> None:
    async with serving(prepared(tmp_path / "data", database_url=database_url)) as server:
        administrator = await server.add_person("ada", Role.ADMINISTRATOR)
        hidden, shown = await server.add_person("zelda"), await server.add_person("bela")

        async def choose(who: Known, visibility: EmailVisibility) -> None:
            form = {"email_address_visibility": str(visibility.value)}
            answer = await server.client().patch("/api/v1/settings", auth=who.auth, data=form)
            assert answer.status_code == 200

        await choose(hidden, EmailVisibility.NOBODY)
        await choose(shown, EmailVisibility.ADMINISTRATORS)
        visitor = await server.signed_in(administrator)

        async def page(path: str) -> str:
            answer = await visitor.get(path)
            assert answer.status_code == 200, path
            return answer.text.replace("<wbr>", "")

        assert shown.email in await page("/organization/users/")
        for path in ("", f"{hidden.id}/", f"{hidden.id}/deactivate/", "?sort=email"):
            text = await page(f"/organization/users/{path}")
            assert hidden.email not in text
            assert f"user{hidden.id}@keybearer.localhost" in text
        assert "Bela" in await page(f"/organization/users/?filter={shown.email}")
        assert "Zelda" not in await page(f"/organization/users/?filter={hidden.email}")
        assert "Bela" in await page(f"/organization/audit/?who={shown.email}")
        assert "Zelda" not in await page(f"/organization/audit/?who={hidden.email}")


async def hide_address(server: InProcessServer, who: Known) -> None:
    form = {"email_address_visibility": str(EmailVisibility.NOBODY.value)}
    assert (await server.client().patch("/api/v1/settings", auth=who.auth, data=form)).status_code == 200


async def test_the_log_and_the_unsent_mail_show_no_address_of_somebody_who_hides_it(
    tmp_path: Path, database_url: str
) -> None:
    settings = prepared(tmp_path / "data", database_url=database_url, smtp_url="smtp://127.0.0.1:1")
    async with serving(settings) as server:
        administrator, zelda = await server.add_person("ada", Role.ADMINISTRATOR), await server.add_person("zelda")
        await hide_address(server, zelda)
        visitor, own = await server.signed_in(administrator), await server.signed_in(zelda)
        answer = await own.post(
            "/settings/account/email/", data={"email": "later@example.com", "password": zelda.password}
        )
        assert answer.status_code in (200, 303), answer.text
        assert (await server.client().post("/api/v1/users/me/api_key/regenerate", auth=zelda.auth)).status_code == 200
        log, mail = [
            (await visitor.get(f"/organization/{path}/")).text.replace("<wbr>", "") for path in ("audit", "mail")
        ]
        for address in ("later@example.com", zelda.email):
            assert address not in log + mail
        assert mail.count(f"user{zelda.id}@keybearer.localhost") == 2
        assert "later@example.com" in (await own.get("/settings/security-log/")).text.replace("<wbr>", "")


async def test_a_mail_about_a_key_says_no_more_about_who_replaced_it_than_the_log(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    iago, hamlet = await server.add_person("iago", Role.ADMINISTRATOR), await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    client = server.client(address="203.0.113.55", headers={"User-Agent": "IagosTool/9"})
    for who in (iago, hamlet):
        answer = await client.post(f"/api/v1/bots/{bot.id}/api_key/regenerate", auth=who.auth)
        assert answer.status_code == 200
    by_other, by_owner = [mail.body for mail in await server.mails() if "was replaced" in mail.subject]
    assert "(Iago)." in by_other
    assert "203.0.113.55" not in by_other
    assert "IagosTool" not in by_other
    assert "(you, from 203.0.113.55, with IagosTool/9)." in by_owner


async def test_a_waiting_event_shows_no_earlier_address_of_somebody_who_hides_it_by_now(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    hamlet, ophelia = await server.add_person("hamlet"), await server.add_person("ophelia")
    client = server.client()
    opened = await client.post("/api/v1/register", auth=ophelia.auth)
    queue = {"queue_id": opened.json()["queue_id"], "last_event_id": "-1", "dont_block": "true"}
    message = {"type": "direct", "to": json.dumps([ophelia.id]), "content": "words"}
    assert (await client.post("/api/v1/messages", auth=hamlet.auth, data=message)).status_code == 200
    await email_changes.change_by_operator(server.context, hamlet.id, "prince@example.com")
    await hide_address(server, await server.known("prince@example.com"))

    events = (await client.get("/api/v1/events", auth=ophelia.auth, params=queue)).json()["events"]
    (sent,) = [event["message"] for event in events if event["type"] == "message"]
    assert sent["sender_email"] == f"user{hamlet.id}@keybearer.localhost"
    assert not [address for address in (hamlet.email, "prince@example.com") if address in json.dumps(events)]
