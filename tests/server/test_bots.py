"""Bots: their names, who may have them, and what their owner is given."""

from __future__ import annotations

import asyncio
import configparser
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.server.domain.accounts import Role, is_email
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.bots import BotType, bot_email, checked_payload_url, checked_short_name
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.realms import Realm
from keybearer.server.services import api_keys, realms
from tests.in_process import InProcessServer, Known
from tests.statements import counting

DOMAIN = "chat.example.com"


async def create(server: InProcessServer, who: Known, **form: str) -> httpx2.Response:
    return await server.client().post("/api/v1/bots", auth=who.auth, data=form)


def address_of(short_name: str) -> str:
    return bot_email(checked_short_name(short_name), DOMAIN)


@pytest.mark.parametrize("short_name", ["gen1", "UPPER1", "a.b", "a_b-c", "x+y", "tilde~", "suffix-bot"])
def test_a_plain_short_name_is_the_address_before_bot(short_name: str) -> None:
    assert address_of(short_name) == f"{short_name}-bot@{DOMAIN}"
    assert is_email(address_of(short_name))


@pytest.mark.parametrize("character", list("%#;=\"'\\:,()<>[]{}|$`*?!&/@ "))
def test_a_character_that_breaks_a_reader_of_zuliprc_files_is_refused_and_named(character: str) -> None:
    with pytest.raises(Refused, match="programs that read zuliprc files would misread") as refused:
        address_of(f"a{character}b")
    assert ("space" if character == " " else character) in refused.value.message


@pytest.mark.parametrize("short_name", ["", "  ", "böt", "a" * 300, ".a", "a.", "a..b", "a\tb", "a\nb", "a\x00b", "ａ"])
def test_a_name_that_cannot_be_an_address_is_refused_in_zulips_words(short_name: str) -> None:
    with pytest.raises(Refused) as refused:
        address_of(short_name)
    assert refused.value.message == "Bad name or username"


@given(st.text(max_size=70))
def test_every_reader_reads_an_accepted_address_alike(short_name: str) -> None:
    try:
        email = address_of(short_name)
    except Refused:
        return
    assert is_email(email)
    assert not set(email) & set("%#;=\"'\\:,<>[]{}|$`*?!& \n\r\t")
    reader = configparser.ConfigParser()  # the strictest of the readers: it interpolates
    reader.read_string(f"[api]\nemail={email}\nkey=k\nsite=https://{DOMAIN}\n")
    assert reader["api"]["email"] == email


@pytest.mark.parametrize(
    ("site", "domain"),
    [
        ("https://chat.example.com", "chat.example.com"),
        ("http://localhost:9991", "keybearer.localhost"),
        ("http://127.0.0.1:9991", "keybearer.localhost"),
        ("https://[::1]", "keybearer.localhost"),
        ("https://intranet", "keybearer.localhost"),
        ("https://zulip_1.internal", "keybearer.localhost"),
        ("https://chat.1", "keybearer.localhost"),
        ("https://chat.12", "keybearer.localhost"),
        ("https://chat.x", "keybearer.localhost"),
        ("https://münchen.example", "xn--mnchen-3ya.example"),
        ("https://xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ],
)
async def test_bots_live_at_the_sites_host_or_if_that_cannot_be_at_keybearer_localhost(
    server: InProcessServer, site: str, domain: str
) -> None:
    realm = Realm(1, "Example", site, server.context.clock())
    assert realm.bot_domain == domain
    await realms.move(server.context, site)
    bot = await server.add_bot(await server.add_person("hamlet"), "the")
    assert bot.email == f"the-bot@{domain}"


@pytest.mark.parametrize(
    ("said", "site"),
    [
        ("https://München.example/chat/", "https://xn--mnchen-3ya.example/chat"),
        ("https://straße.example:8443", "https://xn--strae-oqa.example:8443"),
        ("https://zulip_1.internal", "https://zulip_1.internal"),
        ("localhost:9991", "http://localhost:9991"),
    ],
)
def test_a_site_is_stored_as_programs_write_it(said: str, site: str) -> None:
    assert realms.checked_site(said) == site
    assert Realm(1, "Example", site, datetime.now(UTC)).answers_for(urlsplit(site).netloc)


def test_a_site_whose_name_no_program_can_use_is_refused() -> None:
    with pytest.raises(Refused, match="has no form that programs can use"):
        realms.checked_site("https://a\N{HEBREW LETTER ALEF}b.example")  # of both directions of reading


async def test_no_two_active_accounts_can_have_the_name_of_a_bot(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    assert (await create(server, hamlet, full_name="Hamlet", short_name="one")).json()[
        "msg"
    ] == "Name is already in use."
    await create(server, hamlet, full_name="Other", short_name="one")
    again = await create(server, hamlet, full_name="Third", short_name="ONE")
    assert again.json()["msg"] == "Email is already in use."


async def test_of_two_bots_with_one_name_created_at_once_one_is_refused(server_on_each: InProcessServer) -> None:
    server = server_on_each
    people = [await server.add_person(name) for name in ("hamlet", "othello")]
    for form in ({"full_name": "The Bot"}, {"short_name": "the"}):
        responses = await asyncio.gather(
            *(
                create(server, who, **{"full_name": f"Bot of {who.id}", "short_name": f"bot{who.id}", **form})
                for who in people
            )
        )
        assert sorted(response.status_code for response in responses) == [200, 400]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"full_name": "x" * 101}, "Name too long!"),
        ({"full_name": "x"}, "Name too short!"),
        ({"full_name": "a*b"}, "Invalid characters in name!"),
        ({"full_name": "a|12"}, "Invalid format!"),
        ({"bot_type": "4"}, "Embedded bots are not enabled."),
        ({"bot_type": "9"}, "Invalid bot type"),
        ({"bot_type": '"1"'}, "bot_type is not an integer"),
        ({"bot_type": "1.5"}, "bot_type is not an integer"),
        ({"bot_type": "true"}, "bot_type is not an integer"),
        ({"bot_type": "99999999999"}, "bot_type is too large"),
        ({"bot_type": "3", "interface_type": "7"}, "Invalid interface type"),
        ({"bot_type": "3", "payload_url": "http://unquoted/"}, "payload_url is not valid JSON"),
        ({"bot_type": "3", "payload_url": '"ftp://x/"'}, "Invalid payload_url: Value error, Not a URL"),
        ({"config_data": "[]"}, "config_data is not a dict"),
        ({"default_sending_stream": "general"}, "Invalid channel name 'general'"),
        ({"full_name": "a\x00b"}, "full_name cannot contain null bytes"),
    ],
)
async def test_a_bad_parameter_is_refused_in_zulips_words(
    server: InProcessServer, form: dict[str, str], message: str
) -> None:
    hamlet = await server.add_person("hamlet")
    response = await create(server, hamlet, **{"full_name": "The Bot", "short_name": "the", **form})
    assert (response.status_code, response.json()["msg"]) == (400, message)


async def test_the_first_mistake_is_reported_first(server: InProcessServer) -> None:
    olive, hamlet = await server.add_person("olive", Role.OWNER), await server.add_person("hamlet")
    await server.client().patch("/api/v1/realm", auth=olive.auth, data={"can_create_bots_group": '{"new": 1}'})
    wrong = {"short_name": " ", "full_name": "*", "bot_type": "9", "interface_type": "7", "default_sending_stream": "x"}
    told = []
    for name, right in (("short_name", "the"), ("full_name", "Hamlet"), ("full_name", "The Bot"), ("bot_type", "1")):
        told.append((await create(server, hamlet, **wrong)).json()["msg"])
        wrong[name] = right
    told.append((await create(server, olive, **wrong)).json()["msg"])
    await server.client().patch("/api/v1/realm", auth=olive.auth, data={"can_create_bots_group": '{"new": 3}'})
    for name in ("bot_type", "interface_type"):
        told.append((await create(server, olive, **{**wrong, name: "9"})).json()["msg"])
        wrong[name] = "1"
    told.append((await create(server, olive, **wrong)).json()["msg"])
    assert told == [
        "Bad name or username",
        "Name too short!",
        "Name is already in use.",
        "Insufficient permission",
        "Insufficient permission",
        "Invalid bot type",
        "Invalid interface type",
        "Invalid channel name 'x'",
    ]


async def test_the_owner_is_checked_before_the_changes(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    bot = await server.add_bot(hamlet, "hambot")
    files = [(name, ("picture.png", b"", "image/png")) for name in ("file", "other")]
    told = [
        (await server.client().patch(f"/api/v1/bots/{number}", auth=who.auth, data=form, files=files)).json()["msg"]
        for number, who in ((hamlet.id, hamlet), (bot.id, othello), (bot.id, hamlet))
        for form in ({"default_sending_stream": "x"}, {"full_name": "Other"})
    ]
    assert told == [
        *["No such bot"] * 2,
        *["Insufficient permission"] * 2,
        "Invalid channel name 'x'",
        "You may only upload one file at a time",
    ]
    assert (await server.known(bot.email)).account.full_name == bot.account.full_name


POLICIES = [
    # group             generic  incoming webhook: who may, of owner administrator moderator member
    ("can_create_bots_group", 3, [True, True, False, False], [True, True, True, True]),
    ("can_create_bots_group", 1, [False, False, False, False], [True, True, True, True]),
    ("can_create_write_only_bots_group", 1, [True, True, True, True], [True, True, True, True]),
]


@pytest.mark.parametrize(("setting", "group", "generic", "webhook"), POLICIES)
async def test_the_policies_say_who_may_have_which_bots(
    server: InProcessServer, setting: str, group: int, generic: list[bool], webhook: list[bool]
) -> None:
    roles = (Role.OWNER, Role.ADMINISTRATOR, Role.MODERATOR, Role.MEMBER)
    people = [await server.add_person(role.label, role) for role in roles]
    await server.client().patch("/api/v1/realm", auth=people[0].auth, data={setting: f'{{"new": {group}}}'})
    for bot_type, allowed in ((BotType.GENERIC, generic), (BotType.INCOMING_WEBHOOK, webhook)):
        made = []
        for who in people:
            name = f"{bot_type.name.lower()[:4]}{who.id}"
            response = await create(server, who, full_name=f"Bot {name}", short_name=name, bot_type=str(bot_type.value))
            made.append(response.status_code == 200)
        assert made == allowed


async def test_an_outgoing_webhook_bot_has_a_token_that_is_not_its_key(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "out", BotType.OUTGOING_WEBHOOK)
    issued = await api_keys.reveal_bot(server.context, Caller(hamlet.account), bot.id)
    assert issued.token is not None
    assert issued.token != issued.api_key
    assert issued.zuliprc() == (
        f"[api]\nemail={bot.email}\nkey={bot.api_key}\nsite={server.site}\ntoken={issued.token.reveal()}\n"
    )
    again = await api_keys.regenerate_bot(server.context, Caller(hamlet.account), bot.id)
    assert again.token == issued.token


@pytest.mark.parametrize(
    "url", ["", "x", "http://", "http:///path", "http://a b/", "//host/", "http://[::1", "http://h:99999/", "file:///x"]
)
def test_an_invalid_webhook_url_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="Invalid service_payload_url: Value error, Not a URL"):
        checked_payload_url(url, name="service_payload_url")


async def test_two_files_are_one_too_many_and_one_is_named_as_unsupported(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    picture = ("picture.png", b"\x89PNG", "image/png")
    client = server.client()
    form = {"full_name": "The Bot", "short_name": "the"}
    two = await client.post("/api/v1/bots", auth=hamlet.auth, data=form, files=[("file", picture), ("other", picture)])
    assert two.json()["msg"] == "You may only upload one file at a time"
    one = await client.post("/api/v1/bots", auth=hamlet.auth, data=form, files=[("file", picture)])
    assert one.json()["ignored_parameters_unsupported"] == ["file"]


async def test_unknown_parameters_of_form_and_query_are_named_once_and_sorted(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    response = await server.client().post(
        "/api/v1/bots?zebra=1&client=script",
        auth=hamlet.auth,
        data={"full_name": "The Bot", "short_name": "the", "zebra": "2", "apple": "3"},
    )
    assert response.json()["ignored_parameters_unsupported"] == ["apple", "zebra"]


async def test_a_form_posted_with_a_method_means_that_method(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    client = server.client()
    renamed = await client.post(
        f"/api/v1/bots/{bot.id}", auth=hamlet.auth, data={"method": "PATCH", "full_name": "Renamed"}
    )
    assert renamed.json()["full_name"] == "Renamed"
    assert renamed.json()["ignored_parameters_unsupported"] == ["method"]
    in_query = await client.post(f"/api/v1/bots/{bot.id}?method=DELETE", auth=hamlet.auth)
    assert in_query.status_code == 405
    multipart = await client.post(f"/api/v1/bots/{bot.id}", auth=hamlet.auth, files={"method": (None, "DELETE")})
    assert multipart.status_code == 200


async def test_the_keys_of_many_bots_are_shown_and_recorded_with_as_many_statements_as_one(
    server_on_each: InProcessServer,
) -> None:
    server = server_on_each
    costs = []
    for name, count in (("hamlet", 1), ("ophelia", 8)):
        owner = await server.add_person(name)
        added = [await server.add_bot(owner, f"{name}{number}") for number in range(count)]
        with counting() as statements:
            shown = await api_keys.reveal_own_bots(server.context, Caller(owner.account))
        costs.append(len(statements))
        assert [each.api_key and each.api_key.reveal() for each in shown] == [each.api_key for each in added]
        records = [record for record in await server.events() if record[0] == "api_key:viewed"]
        assert records[-count:] == [("api_key:viewed", owner.id, each.id) for each in added]
    assert costs[0] == costs[1]
