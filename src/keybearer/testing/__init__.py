"""A server for tests of bots. It starts in the test's own process in under a second; you add people and bots.

    def test_my_bot(keybearer_server):
        hamlet = keybearer_server.add_person("Hamlet")
        bot = keybearer_server.add_bot("Echo Bot", owner=hamlet)
        with keybearer_server.running([sys.executable, "echo_bot.py", bot.zuliprc]):
            bot.wait_until_listening()
            assert hamlet.ask(bot, "hello").content == "hello"

The fixture `keybearer_server` is available if keybearer and pytest are installed. `running_server` is the same
without pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from keybearer import extras

if TYPE_CHECKING:
    from keybearer.server.domain.accounts import Role as Role
    from keybearer.server.domain.bots import BotType as BotType
    from keybearer.testing.participants import NoAnswer as NoAnswer
    from keybearer.testing.participants import Participant as Participant
    from keybearer.testing.programs import Program as Program
    from keybearer.testing.server import PASSWORD as PASSWORD
    from keybearer.testing.server import Server as Server
    from keybearer.testing.server import running_server as running_server

# pytest loads the plugin in every run, so the server is imported only when it is used.
_HOMES = {
    "BotType": "keybearer.server.domain.bots",
    "NoAnswer": "keybearer.testing.participants",
    "Participant": "keybearer.testing.participants",
    "Program": "keybearer.testing.programs",
    "PASSWORD": "keybearer.testing.server",
    "Role": "keybearer.server.domain.accounts",
    "Server": "keybearer.testing.server",
    "running_server": "keybearer.testing.server",
}

__all__ = ["PASSWORD", "BotType", "NoAnswer", "Participant", "Program", "Role", "Server", "running_server"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'keybearer.testing' has no attribute {name!r}")
    value: object = getattr(extras.load(_HOMES[name]), name)
    globals()[name] = value
    return value
