"""The secret ring: what seals API keys and recognises them, in a file outside the database.

The file is JSON of mode 0600: `{"version": 1, "secrets": [{"id": ..., "created_at": ..., "secret": ...}, ...]}`. The
last secret is the current one; the others are retired, and stay: rows of revoked keys name them, and so do backups. No
secret is used itself: every purpose has a key of its own, derived by HKDF-SHA-256.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keybearer.errors import SecretRingError
from keybearer.secret import Secret

FILE_VERSION = 1
SECRET_LENGTH = 32
NONCE_LENGTH = 12
SEAL_VERSION = b"\x01"
"""The first byte of a box: AES-256-GCM, then 12 bytes of nonce, then the ciphertext with its tag of 16."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What finds a key: HMAC-SHA-256 under the secret named."""

    secret_id: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A text sealed under the secret named."""

    secret_id: str
    box: bytes = field(repr=False)


@final
class _KeyedDigest:
    """HMAC-SHA-256 (RFC 2104) with both halves of the key hashed beforehand: a quarter of the cost on each request."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __call__(self, message: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


@final
class _RingSecret:
    """One secret with what is derived from it, prepared once."""

    __slots__ = ("_text", "created_at", "digest", "id", "sealer")

    def __init__(self, secret_id: str, created_at: str, text: bytes) -> None:
        self.id = secret_id
        self.created_at = created_at
        self._text = text
        self.digest = _KeyedDigest(self.derive("api key digest"))
        self.sealer = AESGCM(self.derive("seal"))

    def derive(self, purpose: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"keybearer " + purpose.encode()).derive(self._text)

    def to_json(self) -> dict[str, str]:
        text = base64.urlsafe_b64encode(self._text).decode()
        return {"id": self.id, "created_at": self.created_at, "secret": text}

    @classmethod
    def generate(cls) -> _RingSecret:
        return cls(secrets.token_hex(4), datetime.now(UTC).isoformat(timespec="seconds"), secrets.token_bytes(32))


@final
class SecretRing:
    """The secrets, the current one last. Made by `load` or `create`; it follows its file when that is rotated."""

    __slots__ = ("_by_id", "_current", "_digests", "_path", "_secrets", "_stamp")

    def __init__(self, ring_secrets: tuple[_RingSecret, ...], path: Path, stamp: tuple[int, ...] = ()) -> None:
        self._path = path
        self._take(ring_secrets, stamp)

    def _take(self, ring_secrets: tuple[_RingSecret, ...], stamp: tuple[int, ...]) -> None:
        self._secrets = ring_secrets
        self._stamp = stamp
        self._by_id: Mapping[str, _RingSecret] = {each.id: each for each in ring_secrets}
        self._current = ring_secrets[-1]
        self._digests = tuple(each.digest for each in reversed(ring_secrets))

    @classmethod
    def load(cls, path: Path) -> SecretRing:
        """The ring in the file at `path`. Raises SecretRingError if it is missing, readable by others or broken."""
        ring_secrets, stamp = _read(path)
        return cls(ring_secrets, path, stamp)

    @classmethod
    def create(cls, path: Path) -> SecretRing:
        """A ring of one new secret, written to `path`. Raises SecretRingError if there is a file already."""
        ring = cls((_RingSecret.generate(),), path)
        try:
            ring._write_new(path)
        except FileExistsError:
            raise SecretRingError(
                f"There is a secrets file at {path} already", hint="Use it, or name another place."
            ) from None
        except OSError as error:
            raise SecretRingError(f"The secrets file {path} cannot be written: {error.strerror}") from None
        return cls.load(path)

    def rotated(self) -> SecretRing:
        """This ring with a new current secret; `save` writes it."""
        return SecretRing((*self._secrets, _RingSecret.generate()), self._path)

    def save(self) -> None:
        """Replace the file in one step: whoever reads it sees the old ring or the new one, also after a power cut."""
        new = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._write_new(new)
            new.replace(self._path)
            _sync_directory(self._path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise SecretRingError(f"The secrets file {self._path} cannot be written: {error.strerror}") from None
        self._take(*_read(self._path))

    def _write_new(self, path: Path) -> None:
        text = json.dumps({"version": FILE_VERSION, "secrets": [each.to_json() for each in self._secrets]}, indent=1)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
        _sync_directory(path.parent)

    def refresh(self) -> bool:
        """Read the file again if it was replaced since; True if the ring is another one now.

        A ring that cannot be read is left as it is: what it opened before, it goes on opening. So is one that was not
        saved yet.
        """
        if not self._stamp:
            return False
        try:
            if _stamp(self._path.stat()) == self._stamp:
                return False
            ring_secrets, stamp = _read(self._path)
        except (OSError, SecretRingError):
            return False
        before = self.ids
        self._take(ring_secrets, stamp)
        return self.ids != before

    @property
    def path(self) -> Path:
        """Where the ring lies."""
        return self._path

    @property
    def current_id(self) -> str:
        """The id of the secret that new rows are written under."""
        return self._current.id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all secrets, the oldest first."""
        return tuple(each.id for each in self._secrets)

    def digest(self, key: Secret) -> Digest:
        """The digest under which a new key is stored: under the secret that is current now, also after a rotation."""
        self.refresh()
        current = self._current
        return Digest(current.id, current.digest(key.reveal().encode()))

    def digests(self, key: Secret | str) -> tuple[bytes, ...]:
        """Every digest under which the key may be stored, that of the current secret first."""
        text = (key if isinstance(key, str) else key.reveal()).encode()
        return tuple([digest(text) for digest in self._digests])

    def seal(self, text: Secret, bound_to: bytes) -> Sealed:
        """Seal a text so that it opens only in the place `bound_to` names."""
        current = self._current
        nonce = secrets.token_bytes(NONCE_LENGTH)
        box = current.sealer.encrypt(nonce, text.reveal().encode(), SEAL_VERSION + bound_to)
        return Sealed(current.id, SEAL_VERSION + nonce + box)

    def unseal(self, sealed: Sealed, bound_to: bytes) -> Secret:
        """Open what `seal` sealed. Raises SecretRingError if the secret is gone or the box is not what was sealed."""
        secret = self._by_id.get(sealed.secret_id)
        if secret is None and self.refresh():
            secret = self._by_id.get(sealed.secret_id)
        if secret is None:
            raise SecretRingError(
                f"The secrets file {self._path} lacks the secret {sealed.secret_id}, under which a row is sealed",
                hint="Put the right secrets file back in its place.",
            )
        # The version that a box claims is part of what was sealed, so a box of another kind does not open.
        version, nonce, box = sealed.box[:1], sealed.box[1 : 1 + NONCE_LENGTH], sealed.box[1 + NONCE_LENGTH :]
        try:
            return Secret(secret.sealer.decrypt(nonce, box, version + bound_to).decode())
        except (InvalidTag, ValueError):
            raise SecretRingError(
                "A sealed value does not open: its row was tampered with, or the secrets file is another one",
                hint="Put the right secrets file back in its place, or restore the database from a backup.",
            ) from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one more purpose. They change when the ring is rotated."""
        return self._current.derive(purpose)

    def __repr__(self) -> str:
        return f"SecretRing(current_id={self.current_id!r}, secrets={len(self._secrets)})"


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _read(path: Path) -> tuple[tuple[_RingSecret, ...], tuple[int, ...]]:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        raise SecretRingError(f"There is no secrets file at {path}") from None
    except OSError as error:
        raise SecretRingError(f"The secrets file {path} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SecretRingError(
            f"The secrets file {path} can be read or written by others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"Run: chmod 600 {path}",
        )
    return _from_json(path, content), _stamp(status)


def _from_json(path: Path, content: bytes) -> tuple[_RingSecret, ...]:
    broken = SecretRingError(f"The secrets file {path} is broken", hint="Restore it from where you keep its copy.")
    ring_secrets: tuple[_RingSecret, ...] = ()
    try:
        document = json.loads(content)
        version, entries = document["version"], document["secrets"]
        if version == FILE_VERSION:
            ring_secrets = tuple(_secret_from_json(each) for each in entries)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise broken from None
    if version != FILE_VERSION:
        raise SecretRingError(
            f"The secrets file {path} is of version {version}, which this Keybearer does not know",
            hint="Upgrade Keybearer.",
        )
    if not ring_secrets or len({each.id for each in ring_secrets}) != len(ring_secrets):
        raise broken
    return ring_secrets


def _secret_from_json(entry: Mapping[str, str]) -> _RingSecret:
    text = base64.urlsafe_b64decode(entry["secret"])
    if len(text) != SECRET_LENGTH or not entry["id"]:
        raise ValueError
    return _RingSecret(str(entry["id"]), str(entry["created_at"]), text)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
