"""The secret ring: what it recognises, what it opens, and its file."""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybearer import api_key
from keybearer.errors import SecretRingError
from keybearer.secret import Secret
from keybearer.server.storage.secret_ring import Sealed, SecretRing, _KeyedDigest

PLACE = b"api_keys:1"


def test_only_its_owner_can_read_and_write_a_new_ring(tmp_path: Path) -> None:
    SecretRing.create(tmp_path / "secrets.json")
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_a_ring_never_overwrites_another(ring: SecretRing) -> None:
    before = ring.path.read_bytes()
    with pytest.raises(SecretRingError, match="already"):
        SecretRing.create(ring.path)
    assert ring.path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_ring_that_others_can_access_is_refused_with_the_command_that_fixes_it(ring: SecretRing, mode: int) -> None:
    ring.path.chmod(mode)
    with pytest.raises(SecretRingError, match=f"chmod 600 {ring.path}"):
        SecretRing.load(ring.path)


READ_ONLY = """
set -e
mount -t tmpfs none "$1"
cp "$2" "$1/secrets.json"
chmod "$4" "$1/secrets.json"
mount -o remount,ro "$1"
exec "$3" -c 'import sys; from pathlib import Path; from keybearer.server.storage.secret_ring import SecretRing
print(SecretRing.load(Path(sys.argv[1], "secrets.json")).current_id)' "$1"
"""


@pytest.mark.parametrize(("mode", "is_taken"), [("440", True), ("444", False), ("460", False)])
def test_a_ring_that_systemd_provides_to_a_group_is_accepted(
    ring: SecretRing, tmp_path: Path, mode: str, is_taken: bool
) -> None:
    mounted = tmp_path / "credentials"
    mounted.mkdir()
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no mounts in a namespace of one's own")
    command = [*apart, "sh", "-c", READ_ONLY, "sh", str(mounted), str(ring.path), sys.executable, mode]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip() == ring.current_id) == is_taken, done.stderr
    assert ("can be read or written by others" in done.stderr) == (not is_taken)


def test_a_missing_ring_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SecretRingError, match=r"secrets file .*secrets\.json does not exist"):
        SecretRing.load(tmp_path / "secrets.json")


def test_a_ring_in_a_missing_directory_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SecretRingError, match="cannot be written"):
        SecretRing.create(tmp_path / "missing" / "secrets.json")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"version": 1}',
        '{"version": 1, "secrets": []}',
        '{"version": 1, "secrets": [1]}',
        '{"version": 1, "secrets": [{"id": "a", "created_at": "", "secret": "c2hvcnQ="}]}',
        '{"version": 1, "secrets": [{"id": "a", "created_at": "", "secret": "***"}]}',
        '{"version": 1, "secrets": {"a": 1}}',
        "\udcff",
    ],
)
def test_a_broken_ring_is_refused_and_not_quoted(ring: SecretRing, content: str) -> None:
    ring.path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(SecretRingError, match="is broken"):
        SecretRing.load(ring.path)


def test_two_secrets_with_one_id_are_refused(ring: SecretRing) -> None:
    document = json.loads(ring.path.read_text())
    document["secrets"] *= 2
    ring.path.write_text(json.dumps(document))
    with pytest.raises(SecretRingError, match="is broken"):
        SecretRing.load(ring.path)


def test_a_ring_of_a_newer_program_is_refused(ring: SecretRing) -> None:
    document = json.loads(ring.path.read_text())
    ring.path.write_text(json.dumps({**document, "version": 2}))
    with pytest.raises(SecretRingError, match="Upgrade Keybearer"):
        SecretRing.load(ring.path)


@given(st.binary(min_size=1, max_size=64), st.binary(max_size=200))
def test_the_prepared_digest_is_hmac_sha_256(key: bytes, message: bytes) -> None:
    assert _KeyedDigest(key)(message) == hmac.digest(key, message, hashlib.sha256)


def test_a_ring_that_is_loaded_again_recognises_and_opens_the_same(ring: SecretRing) -> None:
    key = api_key.generate()
    again = SecretRing.load(ring.path)
    assert again.digest(key) == ring.digest(key)
    assert again.unseal(ring.seal(key, PLACE), PLACE) == key


def test_two_rings_share_nothing(ring: SecretRing, tmp_path: Path) -> None:
    other = SecretRing.create(tmp_path / "other.json")
    key = api_key.generate()
    assert not set(other.digests(key)) & set(ring.digests(key))
    with pytest.raises(SecretRingError, match="lacks the secret"):
        other.unseal(ring.seal(key, PLACE), PLACE)


def test_a_text_is_sealed_differently_every_time(ring: SecretRing) -> None:
    key = api_key.generate()
    assert len({ring.seal(key, PLACE).box for _ in range(100)}) == 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # one ring is enough for all examples
@given(text=st.text(st.characters(codec="utf-8")))
def test_whatever_is_sealed_opens_again(ring: SecretRing, text: str) -> None:
    assert ring.unseal(ring.seal(Secret(text), PLACE), PLACE) == Secret(text)


def test_a_box_moved_into_another_row_does_not_open(ring: SecretRing) -> None:
    sealed = ring.seal(api_key.generate(), b"api_keys:1")
    with pytest.raises(SecretRingError, match="tampered"):
        ring.unseal(sealed, b"api_keys:2")


def test_a_box_with_any_bit_changed_does_not_open(ring: SecretRing) -> None:
    sealed = ring.seal(api_key.generate(), PLACE)
    for place in range(len(sealed.box)):
        changed = bytearray(sealed.box)
        changed[place] ^= 1
        with pytest.raises(SecretRingError):
            ring.unseal(Sealed(sealed.secret_id, bytes(changed)), PLACE)


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20, 28])
def test_a_box_that_is_cut_short_does_not_open(ring: SecretRing, length: int) -> None:
    sealed = ring.seal(api_key.generate(), PLACE)
    with pytest.raises(SecretRingError, match="does not open"):
        ring.unseal(Sealed(sealed.secret_id, sealed.box[:length]), PLACE)


def test_a_rotated_ring_opens_and_recognises_what_the_old_one_wrote(ring: SecretRing) -> None:
    key = api_key.generate()
    rotated = ring.rotated()
    assert rotated.current_id != ring.current_id
    assert rotated.unseal(ring.seal(key, PLACE), PLACE) == key
    assert rotated.digests(key) == (rotated.digest(key).value, ring.digest(key).value)


def test_a_ring_in_use_follows_its_file(ring: SecretRing) -> None:
    in_use = SecretRing.load(ring.path)
    rotated = ring.rotated()
    rotated.save()
    key = api_key.generate()
    assert in_use.unseal(rotated.seal(key, PLACE), PLACE) == key
    assert in_use.current_id == rotated.current_id


def test_a_ring_whose_file_did_not_change_is_not_read_again(ring: SecretRing) -> None:
    assert not ring.refresh()


def test_a_ring_whose_file_breaks_keeps_its_secrets(ring: SecretRing) -> None:
    key = api_key.generate()
    sealed = ring.seal(key, PLACE)
    ring.path.write_text("broken")
    assert not ring.refresh()
    assert ring.unseal(sealed, PLACE) == key


def test_a_ring_that_cannot_be_saved_leaves_nothing_behind(ring: SecretRing) -> None:
    rotated = ring.rotated()
    ring.path.unlink()
    with pytest.raises(SecretRingError, match="cannot be written"):
        rotated.save()
    assert list(ring.path.parent.iterdir()) == []


def test_of_two_rotations_at_once_the_second_is_refused_and_the_first_is_kept(ring: SecretRing) -> None:
    first, second = ring.rotated(), SecretRing.load(ring.path).rotated()
    first.save()
    with pytest.raises(SecretRingError, match="changed by somebody else"):
        second.save()
    assert SecretRing.load(ring.path).ids == first.ids
    assert [path.name for path in ring.path.parent.iterdir()] == [ring.path.name]


def test_a_new_key_is_written_under_the_current_secret(ring: SecretRing) -> None:
    in_use = SecretRing.load(ring.path)
    rotated = ring.rotated()
    rotated.save()
    assert in_use.digest(api_key.generate()).secret_id == rotated.current_id


def test_keys_for_other_purposes_differ_from_each_other(ring: SecretRing) -> None:
    assert ring.derive_all("one") == ring.derive_all("one")
    assert len({ring.derive_all(purpose) for purpose in ("one", "two", "seal", "api key digest")}) == 4


def test_what_was_derived_before_a_rotation_is_still_recognised_and_what_was_derived_after_it_too(
    ring: SecretRing,
) -> None:
    in_use = SecretRing.load(ring.path)
    before = in_use.derive_all("one")
    rotated = ring.rotated()
    rotated.save()
    assert in_use.derive_all("one") == rotated.derive_all("one")
    assert in_use.derive_all("one")[1:] == before


def test_nothing_shows_a_secret(ring: SecretRing) -> None:
    secret = json.loads(ring.path.read_text())["secrets"][0]["secret"]
    shown = f"{ring!r} {ring} {ring.digest(api_key.generate())!r} {ring.seal(api_key.generate(), PLACE)!r}"
    assert secret not in shown
    assert "box" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(ring)


def test_a_prepared_secret_opens_what_others_write_but_writes_nothing(ring: SecretRing) -> None:
    before = ring.current_id
    ring.with_prepared().save()
    elsewhere = SecretRing.load(ring.path)
    assert len(elsewhere.ids) == 2
    assert elsewhere.seal(Secret("text"), PLACE).secret_id == elsewhere.digest(Secret("key")).secret_id == before
    rotated = SecretRing.load(ring.path).rotated()
    assert set(rotated.ids) == set(elsewhere.ids)
    sealed, digest = rotated.seal(Secret("text"), PLACE), rotated.digest(Secret("key"))
    assert sealed.secret_id != before
    assert elsewhere.unseal(sealed, PLACE) == Secret("text")
    assert digest.value in elsewhere.digests(Secret("key"))


def test_preparing_a_secret_twice_changes_nothing(ring: SecretRing) -> None:
    for _ in range(2):
        SecretRing.load(ring.path).with_prepared().save()
    assert len(SecretRing.load(ring.path).ids) == 2
    rotated = SecretRing.load(ring.path).rotated()
    rotated.save()
    assert SecretRing.load(ring.path).ids == rotated.ids
    assert "next" not in json.loads(ring.path.read_text())
