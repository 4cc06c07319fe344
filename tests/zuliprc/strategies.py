"""Hypothesis strategies for zuliprc files and credentials."""

from __future__ import annotations

from hypothesis import strategies as st

from keybearer.errors import UnsafeValueError
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.literal import refuse_unsafe

CANARY = "kbCanaryCanaryCanaryCanaryCanary"
"""A key that no output may show."""


def _is_writable(text: str) -> bool:
    try:
        refuse_unsafe("email", text)
    except UnsafeValueError:
        return False
    return True


texts = st.text(min_size=1, max_size=40).filter(_is_writable)
"""Every value that a zuliprc can contain."""

odd_texts = st.text(st.sampled_from("aA0 \t\"'`#;%()s=:[]\\\u00a0é\u2028\x00\x7f\r\n\ufeff"), max_size=12)
"""Texts that some readers of zuliprc treat differently."""

hosts = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,6}){0,2}", fullmatch=True)

sites = st.builds(
    lambda scheme, host, port, path: f"{scheme}://{host}{port}{path}",
    st.sampled_from(["http", "https"]),
    hosts,
    st.sampled_from(["", ":9991", ":443"]),
    st.sampled_from(["", "/chat", "/a/b"]),
)
"""Sites in their normal form."""

paths = st.from_regex(r"/[a-z%~ ]{0,6}[a-z]/[A-Za-z0-9._%-]{1,10}", fullmatch=True).filter(_is_writable)


@st.composite
def credentials(draw: st.DrawFn) -> Credentials:
    """Credentials that a zuliprc can contain."""
    client_cert = draw(st.none() | paths)
    return Credentials(
        email=draw(texts),
        api_key=Secret(draw(texts)),
        site=draw(st.none() | sites),
        token=draw(st.none() | texts.map(Secret)),
        tls=TLSOptions(
            client_cert=client_cert,
            client_cert_key=draw(st.none() | paths) if client_cert else None,
            cert_bundle=draw(st.none() | paths),
            insecure=draw(st.booleans()),
        ),
    )


_names = st.sampled_from(
    ["key", "KEY", "email", "site", "token", "client_cert", "client_cert_key", "client_bundle", "cert_bundle",
     "insecure", "passcmd", "note", "clientcert", "", "%(key)s"]
)  # fmt: skip
_line_ends = st.sampled_from(["\n", "\r\n", "\r"])

lines = st.one_of(
    st.builds(
        lambda indentation, name, delimiter, value: f"{indentation}{name}{delimiter}{value}",
        st.sampled_from(["", "", "", " ", "    ", "\t"]),
        _names,
        st.sampled_from(["=", "=", " = ", ":", " ", ""]),
        st.one_of(
            odd_texts, st.just(CANARY), st.sampled_from(["a@x.org", "https://z.x", "true", "~/x", "%%", "b # c"])
        ),
    ),
    st.sampled_from(
        ["[api]", "[api]", "[zterm]", "[ api ]", "[]", "[api", "# note", "; note", "", "  ", "\ufeff[api]"]
    ),
    odd_texts,
)

documents = st.lists(st.tuples(lines, _line_ends), max_size=14).map(
    lambda pairs: "".join(line + end for line, end in pairs)
)
"""Texts similar to a zuliprc, many with the canary as the key."""


@st.composite
def good_documents(draw: st.DrawFn) -> str:
    """Texts without a fault: settings, comments, blank lines and other sections in any order, any line ends."""
    keys = draw(st.lists(st.sampled_from(["key", "email", "site", "token", "cert_bundle", "note"]), unique=True))
    delimiters = st.sampled_from(["=", " = ", ": "])
    api = [draw(st.sampled_from([key, key.upper()])) + draw(delimiters) + draw(texts | st.just("")) for key in keys]
    for comment in draw(st.lists(st.sampled_from(["# note", "; key=old", "", "  "]), max_size=3)):
        api.insert(draw(st.integers(0, len(api))), comment)
    foreign = st.sampled_from([["[zterm]", "theme=dark", "  more"], ["[bot]", "key=other", "bare"], ["# end"], []])
    all_lines = [line for part in (draw(foreign), ["[api]", *api], draw(foreign)) for line in part]
    end = draw(_line_ends)
    return draw(st.sampled_from(["", "\ufeff"])) + end.join(all_lines) + draw(st.sampled_from(["", end]))
