"""`keybearer login`: writes a zuliprc without revealing or losing anything."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import keybearer as library
from tests.cli.command_line import CommandLine
from tests.cli.served import PASSWORD, Person, Town
from tests.client.scripted_server import ScriptedServer, error, html, success

KEY = "q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me"
SETTINGS = {"zulip_version": "12.0", "zulip_feature_level": 400, "realm_name": "Test"}


@pytest.fixture
def home(town: Town) -> CommandLine:
    """A person with an empty home."""
    return town.stranger()


def test_the_password_is_asked_for_at_the_terminal_and_not_shown(town: Town, person: Person, home: CommandLine) -> None:
    done = home.on_terminal("login", town.site, answers={"Email: ": person.email, "Password of": PASSWORD})

    assert done.code == 0
    assert PASSWORD not in done.out
    assert person.email in home("whoami").out


def test_the_file_is_that_of_the_web_app_and_is_private(town: Town, person: Person, home: CommandLine) -> None:
    done = home.process("login", town.site, "--email", person.email, "--password-stdin", stdin=f"{PASSWORD}\n")
    written = home.home / ".zuliprc"

    assert (done.code, done.out, done.err) == (0, f"{written}: {person.email} at {town.site}\n", "")
    key = town.server.api_key_of(person.email)
    assert written.read_text() == f"[api]\nemail={person.email}\nkey={key}\nsite={town.site}\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert key not in done.out


def test_a_profile_is_a_file_of_its_own(town: Town, person: Person, home: CommandLine) -> None:
    home("login", town.site, "--email", person.email, "--password-stdin", "--profile", "work", stdin=PASSWORD)

    assert not (home.home / ".zuliprc").exists()
    assert person.email in home("whoami", "--profile", "work").out


@pytest.mark.parametrize("form", ["{host}", "http://{host}/", "HTTP://{host}/api/v1/", " {host} "])
def test_the_site_is_accepted_in_any_form(town: Town, person: Person, home: CommandLine, form: str) -> None:
    site = form.format(host=town.site.partition("://")[2])

    home("login", site, "--user", person.email, "--password-stdin", stdin=PASSWORD)

    assert library.read_zuliprc(home.home / ".zuliprc").site == town.site


def test_the_email_is_the_one_from_the_server(home: CommandLine, scripted: ScriptedServer) -> None:
    """An account may sign in with another name, as with LDAP, but only the email works with the key."""
    scripted.script = [success(**SETTINGS), success(api_key=KEY, email="real@example.com", user_id=1)]

    done = home("login", scripted.site, "--email", "ldap-name", "--password-stdin", stdin="secret")

    assert done.code == 0, done.err
    assert library.read_zuliprc(home.home / ".zuliprc").email == "real@example.com"
    assert scripted.seen[1].form == {"username": "ldap-name", "password": "secret"}


def test_the_password_is_sent_only_to_the_named_site(home: CommandLine, scripted: ScriptedServer) -> None:
    elsewhere = ScriptedServer()
    try:
        scripted.script = [
            success(**SETTINGS, realm_url=elsewhere.site, realm_uri=elsewhere.site),
            success(api_key=KEY, email="a@example.com", user_id=1),
        ]
        done = home("login", scripted.site, "--email", "a@example.com", "--password-stdin", stdin="secret")
    finally:
        elsewhere.close()

    assert done.code == 0
    assert elsewhere.seen == []
    assert f"has the address {elsewhere.site} for itself" in done.complaint
    assert library.read_zuliprc(home.home / ".zuliprc").site == scripted.site


def test_a_wrong_password_is_refused_and_leaves_no_file(town: Town, person: Person, home: CommandLine) -> None:
    done = home("login", town.site, "--email", person.email, "--password-stdin", stdin="a wrong one")

    assert done.code == 1
    assert "Your username or password is incorrect" in done.complaint
    assert "a wrong one" not in done.err
    assert list(home.home.iterdir()) == []


def test_a_server_other_than_zulip_is_reported_before_the_password_is_sent(
    home: CommandLine, scripted: ScriptedServer
) -> None:
    scripted.otherwise = html(404)

    done = home("login", scripted.site, "--email", "a@example.com", "--password-stdin", stdin="secret")

    assert done.code == 1
    assert "instead of Zulip's JSON" in done.complaint
    assert [one.path for one in scripted.seen] == ["/api/v1/server_settings"]


def test_an_organization_without_passwords_is_reported_before_the_question(
    home: CommandLine, scripted: ScriptedServer
) -> None:
    scripted.otherwise = success(**SETTINGS, authentication_methods={"password": False, "github": True})

    done = home("login", scripted.site, "--email", "a@example.com")

    assert done.code == 1
    assert "does not use passwords" in done.complaint
    assert "--api-key-stdin" in done.complaint


def test_a_key_can_be_used_instead_of_a_password(town: Town, person: Person, home: CommandLine) -> None:
    key = town.server.api_key_of(person.email)

    done = home("login", town.site, "--email", person.email, "--api-key-stdin", stdin=f"{key}\r\n")

    assert done.code == 0, done.err
    assert person.email in home("whoami").out
    assert key not in done.out + done.err


def test_a_key_that_the_server_refuses_is_not_written(town: Town, person: Person, home: CommandLine) -> None:
    done = home("login", town.site, "--email", person.email, "--api-key-stdin", stdin=KEY)

    assert done.code == 1
    assert "Invalid API key" in done.complaint
    assert list(home.home.iterdir()) == []


@pytest.mark.parametrize("stdin", ["", "\n", "one\ntwo\n"], ids=["nothing", "an empty line", "two lines"])
def test_standard_input_must_have_one_line(town: Town, person: Person, home: CommandLine, stdin: str) -> None:
    assert home("login", town.site, "--email", person.email, "--password-stdin", stdin=stdin).code == 2


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [([], "Give --email"), (["--email", "a@x.org"], "--password-stdin")],
    ids=["email", "password"],
)
def test_without_a_terminal_the_error_names_the_option(
    town: Town, home: CommandLine, arguments: list[str], advice: str
) -> None:
    done = home.process("login", town.site, *arguments)

    assert done.code == 1
    assert advice in done.complaint


def test_the_file_of_another_account_is_not_replaced_without_yes(town: Town, person: Person) -> None:
    other = town.person()
    before = other.zuliprc.read_bytes()
    arguments = ["login", town.site, "--email", person.email, "--password-stdin"]

    refused = other.run(*arguments, stdin=PASSWORD)

    assert refused.code == 1
    assert f"is the zuliprc of {other.email}" in refused.complaint
    assert other.zuliprc.read_bytes() == before
    assert other.run(*arguments, "--yes", stdin=PASSWORD).code == 0
    assert person.email in other.run("whoami").out


def test_the_own_file_gets_the_newer_key_and_keeps_the_rest(town: Town, person: Person) -> None:
    old = person.zuliprc.read_text()
    person.zuliprc.write_text(f"# mine\n{old.replace('key=kb', 'key=kc')}\n[zterm]\ntheme=dark\n")

    done = person.run("login", town.site, "--email", person.email, "--password-stdin", stdin=PASSWORD)

    assert done.code == 0, done.err
    assert person.zuliprc.read_text() == f"# mine\n{old}\n[zterm]\ntheme=dark\n"


def test_variables_that_override_the_file_are_reported(town: Town, person: Person, home: CommandLine) -> None:
    done = home("login", town.site, "--email", person.email, "--password-stdin", stdin=PASSWORD, ZULIP_API_KEY="x")

    assert done.code == 0
    assert "ZULIP_API_KEY" in done.complaint


def test_json_says_where_the_file_is(town: Town, person: Person, home: CommandLine) -> None:
    done = home("login", town.site, "--email", person.email, "--password-stdin", "--json", stdin=PASSWORD)

    assert json.loads(done.out) == {
        "file": str(home.home / ".zuliprc"),
        "email": person.email,
        "site": town.site,
        "realm_name": "Example",
    }


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[ScriptedServer, str]]:
    """A server with a certificate from an unknown authority, and the path of the authority's certificate."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    server = ScriptedServer(context)
    server.otherwise = lambda seen: (
        success(**SETTINGS)
        if seen.path.endswith("server_settings")
        else success(api_key=KEY, email="a@example.com", user_id=1, full_name="A")
    )
    yield server, str(path)
    server.close()


def test_an_unknown_issuer_is_reported_before_a_password_is_sent(
    private: tuple[ScriptedServer, str], home: CommandLine
) -> None:
    server, _ = private

    done = home("login", server.site, "--email", "a@example.com", "--password-stdin", stdin="secret")

    assert done.code == 1
    assert "is not trusted here" in done.complaint
    assert server.seen == []


def test_a_given_bundle_is_written_to_the_file_and_used_from_it(
    private: tuple[ScriptedServer, str], home: CommandLine
) -> None:
    server, bundle = private
    login = ["login", server.site, "--email", "a@example.com", "--password-stdin"]

    first = home(*login, "--cert-bundle", bundle, stdin="secret")
    again = home(*login, stdin="secret")

    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert library.read_zuliprc(home.home / ".zuliprc").tls.cert_bundle == bundle
    assert home("whoami").code == 0


def test_a_bundle_from_a_variable_is_not_written_to_the_file(
    private: tuple[ScriptedServer, str], home: CommandLine
) -> None:
    server, bundle = private

    done = home(
        "login", server.site, "--email", "a@example.com", "--password-stdin", stdin="secret", ZULIP_CERT_BUNDLE=bundle
    )

    assert done.code == 0, done.err
    assert library.read_zuliprc(home.home / ".zuliprc").tls.cert_bundle is None


def test_a_deactivated_organization_is_reported(home: CommandLine, scripted: ScriptedServer) -> None:
    gone = error(401, "This organization has been deactivated", "REALM_DEACTIVATED")
    scripted.script = [success(**SETTINGS), gone]

    done = home("login", scripted.site, "--email", "a@example.com", "--password-stdin", stdin="secret")

    assert done.code == 1
    assert "deactivated" in done.complaint


def test_a_bad_site_is_reported_before_any_question(home: CommandLine) -> None:
    done = home("login", "ftp://chat.example.com", "--email", "a@example.com")

    assert done.code == 1
    assert "neither https nor http" in done.complaint


def test_a_file_that_cannot_be_written_is_reported(
    town: Town, person: Person, home: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "zuliprc"

    done = home("login", town.site, "--email", person.email, "--password-stdin", "-c", str(target), stdin=PASSWORD)

    assert done.code == 1
    assert str(target) in done.complaint


def test_a_file_that_cannot_be_replaced_is_reported_before_the_password_is_sent(
    scripted: ScriptedServer, home: CommandLine
) -> None:
    written = home.home / "zuliprc"
    written.write_text(f"[api]\nemail=me@example.com\nkey={KEY}\nsite={scripted.site}\n")
    written.with_name("other").hardlink_to(written)
    before = written.read_text()

    done = home(
        "login", scripted.site, "--email", "me@example.com", "--password-stdin", "-c", str(written), stdin=PASSWORD
    )

    assert done.code == 1
    assert "hard links" in done.err
    assert scripted.seen == []
    assert written.read_text() == before
