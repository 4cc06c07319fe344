"""`--fix`: what it shows and asks first, and that it loses nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keybearer.cli.commands.doctor.file import check_file
from keybearer.store.location import Location
from keybearer.zuliprc.document import Document
from tests.cli.commands.doctor.patients import KEY, Patient
from tests.client.scripted_server import EMAIL

SICK = (
    '\ufeff# Ann\'s account\r\n[API]\r\nEmail = {email}\r\n\r\nkey="{key}" # of the laptop\r\nsite={site}/api/\r\n'
    "[zterm]\r\n  theme = dark  # as ever\r\nkey-bindings : vi\r\n"
)
WELL = (
    "# Ann's account\n[api]\nemail={email}\n\n# of the laptop\nkey={key}\nsite={site}\n"
    "[zterm]\n  theme = dark  # as ever\nkey-bindings : vi\n"
)


def filled(patient: Patient, text: str) -> str:
    return text.format(email=EMAIL, key=KEY, site=patient.server.site)


def state_of(path: Path) -> tuple[int, int, int, bytes]:
    """What a program may have changed about a file. Reading changes only the time of the last access."""
    status = path.stat()
    return status.st_ino, status.st_mode, status.st_mtime_ns, path.read_bytes()


def test_all_faults_are_fixed_together_and_comments_and_other_sections_stay(patient: Patient) -> None:
    patient.write(filled(patient, SICK), mode=0o644)
    report = patient.examined("--fix", "--yes")

    assert report.kinds == []
    assert patient.path.read_bytes() == filled(patient, WELL).encode()
    assert stat.S_IMODE(patient.path.stat().st_mode) == 0o600
    assert {fixed["kind"] for fixed in report.told["fixed"]} == {
        "readable_by_others", "byte_order_mark", "line_ends", "missing_section", "loose_form", "suspicious_value",
        "site_shape",
    }  # fmt: skip


def test_the_fixes_are_shown_first_without_a_key(patient: Patient) -> None:
    patient.write(filled(patient, SICK), mode=0o644)
    done = patient.keybearer("doctor", "--fix", "--yes")

    assert f"To fix in {patient.path}:" in done.err
    assert "line 5: The value has quotes around it" in done.err
    assert "the quotes are removed" in done.err
    assert KEY not in done.out + done.err
    assert "of the laptop" not in done.out + done.err


def test_without_a_terminal_the_file_is_fixed(patient: Patient) -> None:
    patient.write(mode=0o644)
    done = patient.keybearer.process("doctor", "--fix")

    assert done.code == 0
    assert stat.S_IMODE(patient.path.stat().st_mode) == 0o600


def test_on_a_terminal_the_answer_no_changes_nothing(patient: Patient) -> None:
    patient.write(mode=0o644)
    done = patient.keybearer.on_terminal("doctor", "--fix", "--offline", answers={"Fix it?": "n\n"})

    assert done.code == 1
    assert stat.S_IMODE(patient.path.stat().st_mode) == 0o644


def test_on_a_terminal_the_answer_yes_fixes_the_file_and_checks_it_again(patient: Patient) -> None:
    patient.write(filled(patient, SICK), mode=0o644)
    done = patient.keybearer.on_terminal("doctor", "--fix", answers={"Fix it?": "y\n"})

    assert done.code == 0
    assert "Everything is in order" in done.out
    assert patient.path.read_text() == filled(patient, WELL)


def test_without_fix_nothing_is_changed(patient: Patient) -> None:
    patient.write(filled(patient, SICK), mode=0o644)
    before = state_of(patient.path)
    patient.examined()

    assert state_of(patient.path) == before


def test_a_valid_file_is_not_changed(patient: Patient) -> None:
    before = state_of(patient.path)
    report = patient.examined("--fix", "--yes")

    assert report.told["fixed"] == []
    assert state_of(patient.path) == before


def test_if_only_the_mode_is_wrong_the_content_is_unchanged(patient: Patient) -> None:
    text = patient.good_text.rstrip("\n")
    patient.write(text, mode=0o640)
    patient.examined("--fix", "--yes")

    assert patient.path.read_text() == text


def test_a_file_behind_a_link_is_fixed_and_the_link_stays(patient: Patient, tmp_path: Path) -> None:
    real = tmp_path / "real"
    patient.path.rename(real)
    patient.path.symlink_to(real)
    real.chmod(0o644)
    patient.examined("--fix", "--yes")

    assert patient.path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_profile_is_fixed_like_any_file(patient: Patient) -> None:
    profile = patient.keybearer.home / ".config" / "zulip" / "work.zuliprc"
    profile.parent.mkdir(parents=True)
    patient.write(filled(patient, SICK)).rename(profile)
    report = patient.examined("--profile", "work", "--fix", "--yes")

    assert report.kinds == []
    assert report.told["config_file"] == str(profile)
    assert profile.read_text() == filled(patient, WELL)


def test_a_key_in_the_wrong_line_is_not_shown(patient: Patient) -> None:
    patient.write(f"[api]\nemail={KEY}\nkey={EMAIL}\nsite={KEY}\n")
    done = patient.keybearer("doctor", "--fix", "--yes", "--timeout", "1")

    assert KEY.lower() not in (done.out + done.err).lower()


PIECES = st.sampled_from(
    [
        "[api]\n", "[API]\n", "[zterm]\n", "email=ann@x.org\n", "Email : ann@x.org # me\n", f"key={KEY}\n",
        f'key="{KEY}"\n', "  site=https://z.x/api\n", "site=z.x\n", "# a comment\n", "\n", "theme=dark\n",
        "emial=b@x.org\n", "  more\n", "nothing\n",
        "client_bundle=ca.pem\n", "cert_bundle=ca.pem\n", "passcmd=pass 'a b' # c\n", "[api]",
        "site='z.x' ; there\n", "insecure=True\n", "site=https://a:b@z.x/#narrow\n", "key=\n", "=\n",
    ]
)  # fmt: skip
TEXTS = st.tuples(
    st.sampled_from(["", "\ufeff"]), st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["\n", "\r\n", "\r"])
).map(lambda parts: (parts[0] + parts[1]).replace("\n", parts[2]))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_fixing_any_file_keeps_comments_and_settings_and_needs_one_run(tmp_path: Path, text: str) -> None:
    path = tmp_path / "zuliprc"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    before = Document.read(text.encode(), str(path))
    # The only section, where it holds the account, is written [api]: its old name goes.
    renamed = {name for name, line in before.sections.items() if line == before.account_section()}
    file = check_file(Location(path, "path"), os.environ)
    if file.repairs:
        file.fix()
    after = Document.read(path.read_bytes(), str(path))

    assert not check_file(Location(path, "path"), os.environ).repairs
    assert set(before.sections) - {"API"} - renamed <= set(after.sections)
    for entry in before.entries.values():
        bare = entry.text.reveal().partition(" #")[0].partition(" ;")[0].strip("'\"")
        assert bare.startswith("https://a:b@") or bare.removesuffix("/api") in after.text()
    for comment in ("# a comment", "# me", "; there", "# c"):
        assert (comment in text) == (comment in after.text())
