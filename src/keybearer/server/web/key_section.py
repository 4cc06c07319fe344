"""The keys of an account on its page: the table and, in the answer that creates one, the new key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.services import key_lists
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.web.visit import Visit


def path_of(bot_id: int | None) -> str:
    """The path below which the forms for the keys of an account are: one's own, or a bot's."""
    return "/settings/account/api-keys/" if bot_id is None else f"/settings/bots/{bot_id}/api-keys/"


@dataclass(frozen=True, slots=True)
class KeySection:
    """The keys of an account. `made` is a key that was just created, `told` a sentence about what was just done."""

    bot_id: int | None
    keys: Sequence[APIKeyRecord]
    made: IssuedKey | None = None
    told: str = ""

    @property
    def path(self) -> str:
        """The path below which its forms are."""
        return path_of(self.bot_id)


async def find_section(
    visit: Visit, bot_id: int | None = None, *, made: IssuedKey | None = None, told: str = ""
) -> KeySection:
    """The keys of the visitor, or of a bot that they manage."""
    return KeySection(bot_id, await key_lists.find_all(visit.context, visit.caller, bot_id), made, told)
