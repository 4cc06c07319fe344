"""No command and no error shows a key, in any place and in any encoding."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.fields import FIELDS, LOCATORS
from tests.cli.command_line import CommandLine
from tests.client.scripted_server import Reply, ScriptedServer, Seen, error, serving
from tests.zuliprc.exposure import exposed

KEY = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"
OTHER = "kbCanaryCanaryCanaryCanaryCanary"

DIAGNOSTICS = [
    ["show"], ["show", "--json"], ["whoami"], ["whoami", "--json"], ["doctor"], ["doctor", "--json"], ["profiles"],
    ["doctor", "--fix", "--yes", "--offline"], ["profiles", "--json"], ["regenerate", "--yes"], ["bot", "list"],
    ["send", "--to", "a@x.org", "text"], ["api", "GET", "users/me"], ["logout", "--yes"], ["messages"],
]  # fmt: skip
OPTIONS = [field.options[0] for field in FIELDS.values() if field.options and field.metavar]
OPTIONS += [locator.options[0] for locator in LOCATORS]
VARIABLES = [name for name in (*(one.variable for one in FIELDS.values()), *(one.variable for one in LOCATORS)) if name]
VARIABLES += ["REQUESTS_CA_BUNDLE", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "ZULIP_KEY", f"ZULIP_{KEY}"]
FORMS = [
    "{key}", " {key} ", "{key}\n", "/tmp/{key}", "/tmp/{key}/zuliprc", "x{key}", "{key}@x.org", "https://{key}.x.org",
    "https://x.org/{key}", "https://a:{key}@x.org", "http://{key}", "[api]\nemail=a@x.org\nkey={key}\n", "'{key}'",
    "{key} # mine", "Basic {basic}", "{url}", "\\u0071{key}", "<{key}>", "%({key})s", "{key}\u202e\x1b[2J",
]  # fmt: skip
ARGUMENTS = ["config_file", "email", "api_key", "site", "client_cert", "cert_bundle", "insecure", "profile"]
SETTINGS = ["email", "site", "client_cert", "client_cert_key", "cert_bundle", "insecure", "token", "passcmd", "note"]


def filled(form: str, key: str = KEY) -> str:
    basic = base64.b64encode(f"bot@x.org:{key}".encode()).decode()
    return form.format(key=key, basic=basic, url=quote(f"a@x.org:{key}=", safe=""))


def assert_no_key(text: str, key: str = KEY) -> None:
    basic = base64.b64encode(f"bot@x.org:{key}".encode()).decode()
    for form in (key, key.lower(), basic, "".join(f"%{ord(one):02X}" for one in key)):
        assert form not in text, text
    assert key.lower() not in text.lower(), text


class Heard(logging.Handler):
    """The entries of the loggers."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with serving() as running:
        yield running


@pytest.fixture
def log() -> Iterator[Heard]:
    handler, logger = Heard(), logging.getLogger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def repeating(seen: Seen) -> Reply:
    """A server that repeats its request in every encoding."""
    sent = seen.headers.get("authorization", "")
    decoded = base64.b64decode(sent.removeprefix("Basic ")).decode(errors="replace")
    text = f"bad: {sent} {decoded} {quote(decoded, safe='')} {json.dumps(decoded)} {seen.path} {seen.body.decode()}"
    return error(400, text, "BAD_REQUEST", more={text: [text]})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_key_in_any_argument_variable_setting_path_or_answer_is_not_shown(
    data: st.DataObject, keybearer: CommandLine, server: ScriptedServer, log: Heard
) -> None:
    text = filled(data.draw(st.sampled_from(FORMS)))
    server.otherwise = repeating
    lines = {"email": "a@x.org", "key": data.draw(st.sampled_from([KEY, OTHER])), "site": server.site}
    options: list[str] = []
    environ: dict[str, str] = {}
    for place in data.draw(st.sets(st.sampled_from(["setting", "option", "variable"]), min_size=1)):
        if place == "setting":
            lines[data.draw(st.sampled_from(SETTINGS))] = text
        elif place == "option":
            options = [data.draw(st.sampled_from(OPTIONS)), text]
        elif "\x00" not in text:
            environ[data.draw(st.sampled_from(VARIABLES))] = text
    if data.draw(st.booleans()):
        lines.pop("passcmd", None)
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text("[api]\n" + "".join(f"{name}={value}\n" for name, value in lines.items()))
    zuliprc.chmod(0o600)
    command = data.draw(st.sampled_from(DIAGNOSTICS))

    done = keybearer(*command, *options, **environ)

    for key in (KEY, OTHER):
        assert_no_key(done.out + done.err + log.text, key)
    assert "Internal error" not in done.err
    assert "\x1b" not in done.out + done.err
    assert "\u202e" not in done.out + done.err


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_exception_log_or_repr_of_the_library_shows_a_key(
    data: st.DataObject, server: ScriptedServer, log: Heard, tmp_path: Path
) -> None:
    name = data.draw(st.sampled_from(ARGUMENTS))
    text = filled(data.draw(st.sampled_from(FORMS)))
    variables = data.draw(st.sets(st.sampled_from(VARIABLES), max_size=1))
    server.otherwise = repeating
    given_: dict[str, object] = {"email": "a@x.org", "api_key": KEY, "site": server.site, name: text}
    environ = {"HOME": str(tmp_path), **dict.fromkeys(variables, text)}
    try:
        resolution = resolve(**given_, environ=environ)  # type: ignore[arg-type]
        assert_no_key(f"{resolution!r} {resolution.credentials!r} {resolution.origins!r} {resolution.warnings!r}")
        with Client(resolution, retry=RetryPolicy(attempts=1)) as client:
            assert_no_key(repr(client))
            client.request("GET", "users/me")
    except KeybearerError as failed:
        assert_no_key(exposed(failed))
    assert_no_key(log.text)


@pytest.mark.parametrize("name", [f"{KEY}.zuliprc", f"x-{KEY}"])
def test_a_profile_or_file_with_the_name_of_a_key_is_not_shown(keybearer: CommandLine, name: str) -> None:
    directory = keybearer.home / ".config" / "zulip"
    directory.mkdir(parents=True)
    (directory / name).write_text(f"[api]\nemail={KEY}\nkey=a@x.org\n")
    path = str(directory / name)
    for command in (
        "profiles",
        "profiles --json",
        f"install {path}",
        f"show -c {path}",
        f"install {path} --profile {KEY}",
    ):
        done = keybearer(*command.split())
        assert_no_key(done.out + done.err)


SWAPPED = ["whoami", "show", "send --to a@x.org hi", "regenerate --yes", "export", "api GET x", "bot list", "messages",
           "listen", "exec -- true"]  # fmt: skip


@pytest.mark.parametrize("command", SWAPPED)
def test_every_command_reports_a_swapped_email_and_key(keybearer: CommandLine, command: str) -> None:
    zuliprc = keybearer.home / ".zuliprc"
    zuliprc.write_text(f"[api]\nemail={KEY}\nkey=bot@x.org\nsite=http://localhost:1\n")
    zuliprc.chmod(0o600)
    done = keybearer(*command.split())

    assert done.code == 1
    assert "swapped" in done.complaint
    assert "doctor --fix" in done.complaint
    assert_no_key(done.out + done.err)


def test_a_download_with_email_and_key_swapped_is_not_installed(keybearer: CommandLine) -> None:
    (keybearer.home / "zuliprc").write_text(f"[api]\nemail={KEY}\nkey=bot@x.org\n")
    done = keybearer("install", str(keybearer.home / "zuliprc"))

    assert done.code == 1
    assert "swapped" in done.complaint
    assert_no_key(done.err)


@pytest.mark.parametrize("value", [KEY.encode(), bytearray(KEY.encode()), [KEY], 7, None])
def test_credentials_of_another_type_are_refused_without_showing_them(value: object) -> None:
    with pytest.raises(KeybearerError, match="must be text or a Secret") as raised:
        Credentials("a@x.org", value)  # type: ignore[arg-type]

    assert_no_key(exposed(raised.value))


def test_no_repr_of_credentials_shows_a_key_in_any_field() -> None:
    credentials = Credentials(KEY, KEY, f"https://{KEY}", KEY, TLSOptions(KEY, KEY, KEY))  # type: ignore[arg-type]

    assert_no_key(f"{credentials!r} {credentials}")


def test_a_password_that_the_server_repeats_in_any_form_is_not_shown(scripted: ScriptedServer) -> None:
    password = 'hé llo+"\\&'

    def repeat(seen: Seen) -> Reply:
        basic = base64.b64encode(password.encode()).decode()
        return error(400, f"{seen.body.decode()} {password} {json.dumps(password)} {basic}")

    scripted.otherwise = repeat
    with Client.unauthenticated(scripted.site) as client, pytest.raises(KeybearerError) as raised:
        client.fetch_api_key("a@x.org", password)

    told = exposed(raised.value)
    for form in (password, "h%C3%A9", json.dumps(password)[1:-1], base64.b64encode(password.encode()).decode()):
        assert form not in told
