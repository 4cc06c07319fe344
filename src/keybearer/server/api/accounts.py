"""`users`: who is asking, and who else there is."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.profiles import profile
from keybearer.server.services import accounts


async def get_own(call: Call) -> Answer:
    """`GET users/me`."""
    account = call.actor.account
    fields = profile(account, account, call.realm)
    if not account.is_bot:
        fields["profile_data"] = {}
    return success(**fields, max_message_id=-1)


async def get_all(call: Call) -> Answer:
    """`GET users`: everybody, the deactivated too."""
    viewer = call.actor.account
    members = await accounts.find_all(call.context, viewer.realm_id)
    return success(members=[profile(account, viewer, call.realm) for account in members])
