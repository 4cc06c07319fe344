"""The client with our real server, without TLS and with client certificates. Each test runs with both clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from keybearer import Client, Credentials, TLSOptions, read_zuliprc, write_zuliprc
from keybearer.errors import (
    AccountDeactivated,
    APIError,
    InvalidAPIKey,
    MalformedAPIKey,
    PasswordRefused,
    TLSFailed,
)
from keybearer.secret import Secret
from tests.client.callers import Opener
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, running_server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_server(tmp_path_factory.mktemp("plain") / "data") as server:
        yield server.site


@pytest.fixture
def owner(site: str) -> Credentials:
    return sign_in(site, TLSOptions())


def sign_in(site: str, tls: TLSOptions) -> Credentials:
    with Client.unauthenticated(site, tls=tls) as client:
        fetched = client.fetch_api_key(OWNER_EMAIL, OWNER_PASSWORD)
    return Credentials(fetched.email, fetched.api_key, site, tls=tls)


def test_a_key_fetched_with_the_password_works(open_client: Opener, owner: Credentials) -> None:
    profile = open_client(owner).get_profile()
    assert (profile.email, profile.is_owner, profile.is_bot) == (OWNER_EMAIL, True, False)


def test_a_wrong_password_is_reported(open_client: Opener, site: str) -> None:
    client = open_client.adopt(open_client.kind.unauthenticated(site))
    with pytest.raises(PasswordRefused):
        client.fetch_api_key(OWNER_EMAIL, "a wrong password")


def test_server_settings_need_no_key(open_client: Opener, site: str) -> None:
    settings = open_client.adopt(open_client.kind.unauthenticated(site)).get_server_settings()
    assert (settings.realm_url, settings.zulip_feature_level) == (site, 492)


@pytest.mark.parametrize(("key", "error"), [("x" * 32, InvalidAPIKey), ("too short", MalformedAPIKey)])
def test_a_bad_key_is_reported(open_client: Opener, site: str, key: str, error: type[APIError]) -> None:
    with pytest.raises(error):
        open_client(Credentials(OWNER_EMAIL, Secret(key), site)).get_profile()


def test_an_unknown_endpoint_is_reported(open_client: Opener, owner: Credentials) -> None:
    with pytest.raises(APIError, match="no endpoint"):
        open_client(owner).request("GET", "no/such/endpoint")


def test_the_life_of_a_bot(open_client: Opener, owner: Credentials) -> None:
    client = open_client(owner)
    name = f"Lunch {open_client.kind.__name__}"
    made = client.create_bot(name, name.replace(" ", "-").lower())
    bot = next(one for one in client.get_own_bots() if one.user_id == made.user_id)
    key = client.get_bot_api_key(bot.user_id)
    as_bot = Credentials(bot.delivery_email, key, owner.site)
    assert open_client(as_bot).get_profile().full_name == name
    newer = client.regenerate_bot_api_key(bot.user_id)
    assert newer == client.get_bot_api_key(bot.user_id) != key
    with pytest.raises(InvalidAPIKey):
        open_client(as_bot).get_profile()
    client.deactivate_bot(bot.user_id)
    with pytest.raises(AccountDeactivated):
        open_client(Credentials(bot.delivery_email, newer, owner.site)).get_profile()
    client.reactivate_bot(bot.user_id)
    fresh = client.get_bot_api_key(bot.user_id)
    assert open_client(Credentials(bot.delivery_email, fresh, owner.site)).get_profile().user_id == bot.user_id


def test_other_clients_continue_with_a_regenerated_key_from_the_file(
    open_client: Opener, owner: Credentials, tmp_path: Path
) -> None:
    path = tmp_path / "zuliprc"
    write_zuliprc(path, owner)
    other = open_client(config_file=path)
    other.get_profile()
    new = open_client(config_file=path).regenerate_api_key()
    assert read_zuliprc(path).api_key == new
    assert other.get_profile().email == OWNER_EMAIL
    with pytest.raises(InvalidAPIKey):
        open_client(owner).get_profile()


@dataclass(frozen=True)
class Guarded:
    """A server that uses TLS and requires client certificates."""

    site: str
    bundle: str
    certificate: str
    stranger: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("guarded")
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    files = {
        "ca.pem": ca.cert_pem.bytes(),
        "server.pem": b"".join(one.bytes() for one in certificate.cert_chain_pems),
        "server.key": certificate.private_key_pem.bytes(),
        "client.pem": ca.issue_cert("bot@example.com").private_key_and_cert_chain_pem.bytes(),
        "stranger.pem": trustme.CA().issue_cert("bot@example.com").private_key_and_cert_chain_pem.bytes(),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)
    paths = {name: str(directory / name) for name in files}
    options = ["--tls-cert", paths["server.pem"], "--tls-key", paths["server.key"], "--tls-client-ca", paths["ca.pem"]]
    with running_server(directory / "data", *options) as server:
        yield Guarded(server.site, paths["ca.pem"], paths["client.pem"], paths["stranger.pem"])


def test_a_client_certificate_gives_access(open_client: Opener, guarded: Guarded) -> None:
    tls = TLSOptions(cert_bundle=guarded.bundle, client_cert=guarded.certificate)
    assert open_client(sign_in(guarded.site, tls)).get_profile().email == OWNER_EMAIL


@pytest.mark.parametrize(
    ("bundled", "certificate", "reason"),
    [
        (True, None, "client_certificate_required"),
        (True, "stranger", "bad_client_certificate"),
        (False, "certificate", "unknown_issuer"),
    ],
)
def test_without_the_right_certificates_access_is_refused(
    open_client: Opener, guarded: Guarded, bundled: bool, certificate: str | None, reason: str
) -> None:
    tls = TLSOptions(
        cert_bundle=guarded.bundle if bundled else None,
        client_cert=getattr(guarded, certificate) if certificate else None,
    )
    with pytest.raises(TLSFailed) as caught:
        open_client(Credentials(OWNER_EMAIL, Secret("x" * 32), guarded.site, tls=tls)).get_profile()
    assert caught.value.reason == reason
