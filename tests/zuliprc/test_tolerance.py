"""Values with a warning, settings in `[DEFAULT]`, and other files that are recognized."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer.errors import ResolutionError
from keybearer.zuliprc.document import Document
from keybearer.zuliprc.fields import BY_FILE_KEY
from keybearer.zuliprc.lookalikes import recognize
from tests.zuliprc.resolving import GOOD, resolve_text, warned
from tests.zuliprc.strategies import documents, good_documents

white_space = st.text(st.sampled_from(" \t\r\n\u00a0\ufeff\u200b"), min_size=1, max_size=4)


@given(before=st.just("") | white_space, after=white_space)
def test_white_space_around_a_variable_is_ignored_with_a_warning(before: str, after: str) -> None:
    resolution = resolve_text(
        environ={"ZULIP_API_KEY": f"{before}ek{after}", "ZULIP_SITE": f"{before}https://e.x{after}"}
    )

    assert resolution.api_key.reveal() == "ek"
    assert resolution.site == "https://e.x"
    places = {warning.place for warning in resolution.warnings if warning.kind == "padded_value"}
    assert places == {"ZULIP_API_KEY", "ZULIP_SITE"}


@given(around=white_space)
def test_white_space_around_an_argument_is_ignored_with_a_warning(around: str) -> None:
    resolution = resolve_text(api_key=f"ck{around}", email="c@x.org")

    assert resolution.api_key.reveal() == "ck"
    assert [one.place for one in resolution.warnings if one.kind == "padded_value"] == ["argument api_key"]


def test_a_variable_of_white_space_alone_is_not_set() -> None:
    assert resolve_text(environ={"ZULIP_API_KEY": " \r\n"}).api_key.reveal() == "k1"


@pytest.mark.parametrize("value", ["e\nk", "e\x00k", "e\x1bk"])
def test_a_control_character_inside_a_value_is_refused(value: str) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(environ={"ZULIP_API_KEY": value})

    assert raised.value.kind == "suspicious_value"


def test_a_value_without_white_space_around_it_causes_no_warning() -> None:
    environ = {"ZULIP_API_KEY": "ek", "ZULIP_EMAIL": "e@x.org", "ZULIP_SITE": "https://z.x"}
    assert "padded_value" not in warned(resolve_text(environ=environ))


_keys = st.lists(st.sampled_from(["key", "email", "site", "insecure", "note"]), unique=True)


@given(above=_keys, below=_keys, own=_keys, between=st.booleans())
def test_settings_of_the_default_section_match_pythons_parser(
    above: list[str], below: list[str], own: list[str], between: bool
) -> None:
    parts = ["[DEFAULT]", *(f"{key}=d-{key}" for key in above)] if above else []
    parts += ["[other]", "key=o"] if between else []
    parts += ["[api]", *(f"{key}=a-{key}" for key in own)]
    parts += ["[DEFAULT]", *(f"{key}=d-{key}" for key in below if key not in above)] if below else []
    text = "".join(f"{line}\n" for line in parts)
    parser = configparser.ConfigParser()
    parser.read_string(text)

    document = Document.parse(text)
    assert {key: entry.text.reveal() for key, entry in document.entries.items()} == dict(parser["api"])
    assert document.defaults == {key for key in (*above, *below) if key not in own}


def test_a_default_section_without_an_api_section_has_no_settings() -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(GOOD.replace("[api]", "[DEFAULT]"))

    assert raised.value.kind == "missing_section"


def test_a_key_of_the_default_section_is_replaced_where_it_is() -> None:
    document = Document.parse("[DEFAULT]\nkey=old\n[api]\nemail=a@x.org\n").with_value("key", "new")

    assert document.text() == "[DEFAULT]\nkey=new\n[api]\nemail=a@x.org\n"


def test_credentials_are_removed_from_the_default_section_too() -> None:
    document = Document.parse("[DEFAULT]\nkey=old\ntheme=dark\n[api]\nemail=a@x.org\n").with_settings({})

    assert document.text() == "[DEFAULT]\ntheme=dark\n[api]\n"


@given(text=good_documents())
def test_no_zuliprc_is_recognized_as_another_file(text: str) -> None:
    found = recognize(text)
    assert found is None or not Document.read(text).get("key")


@given(text=documents | st.text())
def test_recognizing_any_file_raises_no_error(text: str) -> None:
    found = recognize(text)
    if found is not None and found.settings:
        assert Document.read(found.text).faults == []
        assert set(found.settings) <= set(BY_FILE_KEY)


def test_a_zuliprc_in_one_line_is_recognized_with_the_same_settings() -> None:
    lines = ["[api]", "email=a@x.org", "key=q8Zr3vT1xLw0Yb6Nc9Ks2Jd5Hf7Gp4Me", "site=https://z.x", "insecure=true"]
    found = recognize(" ".join(lines))

    assert found is not None
    assert found.text.splitlines() == lines


@pytest.mark.parametrize(
    ("name", "meant"),
    [("apikey", "key"), ("api-key", "key"), ("username", "email"), ("user", "email"), ("mail", "email"),
     ("url", "site"), ("server", "site"), ("realm", "site"), ("zulip_site", "site"), ("host", "site")],
)  # fmt: skip
def test_names_from_other_programs_are_known_as_misspellings(name: str, meant: str) -> None:
    text = GOOD.replace(f"{meant}=", f"{name}=")
    try:
        told = " ".join(str(warning) for warning in resolve_text(text).warnings)
    except ResolutionError as error:
        told = str(error)

    assert f"id you mean {meant}" in told
