"""The pages show administrators only addresses that their owners show to them."""

from __future__ import annotations

from pathlib import Path

from keybearer.server.domain.accounts import EmailVisibility, Role
from tests.in_process import Known, prepared, serving


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
