"""The TLS context for the TLS options of credentials. Errors name the certificate file and the reason.

A bundle or `insecure` in the options takes precedence over every variable. Without them, the context trusts what Python
trusts (SSL_CERT_FILE and SSL_CERT_DIR can change that), or certifi's bundle if that is empty.
"""

from __future__ import annotations

import getpass
import ssl
import sys
from pathlib import Path
from typing import TextIO

import certifi

from keybearer.client.flow.log import log
from keybearer.errors import TLSFailed
from keybearer.zuliprc.credentials import TLSOptions

CERTIFICATE_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".cert", ".der"})


def build_context(options: TLSOptions, *, site: str = "") -> ssl.SSLContext:
    """The context for connections to `site` (named in the warning about `insecure` only).

    May ask on the terminal for the passphrase of an encrypted key. Raises TLSFailed for a file that cannot be used.
    """
    if options.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        log().warning(
            "insecure is set: the certificate of %s is not checked, so anybody on the network can read the API key",
            site or "the server",
        )
    elif options.cert_bundle:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # A bundle may contain the server's own certificate instead of its issuer's. VERIFY_X509_STRICT stays off: many
        # private authorities issue certificates without the key identifiers that it requires.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _trust_bundle(context, Path(options.cert_bundle))
    else:
        context = ssl.create_default_context()
        if _trusts_nothing(context):
            context.load_verify_locations(certifi.where())
    if options.client_cert:
        _load_client_certificate(context, options.client_cert, options.client_cert_key)
    return context


def _trusts_nothing(context: ssl.SSLContext) -> bool:
    """Whether no certificate is trusted by default. A directory of hashed files is counted only once it is used."""
    if context.cert_store_stats()["x509_ca"]:
        return False
    directory: str | None = ssl.get_default_verify_paths().capath  # None if there is no such directory
    return directory is None or not any(Path(directory).iterdir())


def _trust_bundle(context: ssl.SSLContext, bundle: Path) -> None:
    try:
        names = sorted(bundle.iterdir()) if bundle.is_dir() else None
    except OSError as error:
        raise _unreadable_bundle(bundle, error) from None
    files = [bundle]
    if names is not None:
        files = [one for one in names if one.suffix.lower() in CERTIFICATE_SUFFIXES or _is_hashed(one)]
        if not files:
            raise TLSFailed(
                f"The certificate directory {bundle} has no certificate",
                reason="bad_bundle",
                hint="Put PEM files that end in .pem or .crt into it",
            )
    for file in files:
        _trust_file(context, file)


def _is_hashed(file: Path) -> bool:
    """Whether the name is one of OpenSSL's `rehash`: eight hexadecimal digits, a dot, a number."""
    return len(file.stem) == 8 and file.suffix[1:].isdigit()


def _trust_file(context: ssl.SSLContext, file: Path) -> None:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _unreadable_bundle(file, error) from None
    try:
        if b"-----BEGIN" in content:
            context.load_verify_locations(cafile=file)
        else:
            context.load_verify_locations(cadata=content)
    except (ssl.SSLError, ValueError):
        raise TLSFailed(
            f"The certificate bundle {file} has no readable certificate",
            reason="bad_bundle",
            hint="It must be a PEM file (-----BEGIN CERTIFICATE-----) of the issuer's or the server's certificate",
        ) from None


def _unreadable_bundle(path: Path, error: OSError) -> TLSFailed:
    return TLSFailed(
        f"The certificate bundle {path} cannot be read: {error.strerror}",
        reason="bad_bundle",
        hint="Correct cert_bundle (client_bundle), or the file's permissions",
    )


def _on_a_terminal() -> bool:
    """Whether a passphrase can be asked for. Daemons may have no standard streams at all."""
    streams: tuple[TextIO | None, ...] = (sys.stdin, sys.stderr)
    return all(one is not None and one.isatty() for one in streams)


class _PassphraseNeeded(Exception):
    """The key is encrypted, and there is no terminal to ask on."""


def _load_client_certificate(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    asked = False

    def passphrase() -> str:
        nonlocal asked
        asked = True
        if not _on_a_terminal():
            raise _PassphraseNeeded
        return getpass.getpass(f"Passphrase of {key or cert}: ")

    for path in (cert, key):
        _check_readable(path)
    try:
        context.load_cert_chain(cert, key, passphrase)
    except _PassphraseNeeded:
        raise TLSFailed(
            f"The key of the client certificate in {key or cert} is encrypted, and there is no terminal to ask on",
            reason="bad_client_certificate",
            hint="Run the command in a terminal, or store the key without a passphrase: openssl pkey -in … -out …",
        ) from None
    except ValueError:  # a passphrase that is too long
        raise _bad_certificate(f"The passphrase of {key or cert} is wrong", "Try again") from None
    except ssl.SSLError as error:
        raise _explained(error, cert, key, asked=asked) from None


def _check_readable(path: str | None) -> None:
    if path is None:
        return
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise _bad_certificate(
            f"The client certificate file {path} cannot be read: {error.strerror}",
            "Correct client_cert or client_cert_key, or the file's permissions",
        ) from None


def _explained(error: ssl.SSLError, cert: str, key: str | None, *, asked: bool) -> TLSFailed:
    if error.reason == "KEY_VALUES_MISMATCH":
        return _bad_certificate(
            f"The key in {key or cert} does not belong to the certificate in {cert}",
            "Name the certificate's own key in client_cert_key",
        )
    if asked:
        return _bad_certificate(f"The passphrase of {key or cert} is wrong", "Try again")
    if b"-----BEGIN CERTIFICATE-----" not in Path(cert).read_bytes():
        return _bad_certificate(f"There is no PEM certificate in {cert}", "Name the certificate's file in client_cert")
    if b"PRIVATE KEY-----" not in Path(key or cert).read_bytes():
        hint = "Name the key's file in client_cert_key" if key is None else "Name the key's file, a PEM file"
        return _bad_certificate(f"There is no private key in {key or cert}", hint)
    return _bad_certificate(
        f"The client certificate in {cert} cannot be used: {(error.reason or 'unreadable').replace('_', ' ').lower()}",
        "Ask its issuer for a new one, or check it with: openssl x509 -in … -text",
    )


def _bad_certificate(message: str, hint: str) -> TLSFailed:
    return TLSFailed(message, reason="bad_client_certificate", hint=hint)
