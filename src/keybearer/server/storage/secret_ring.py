"""The secret ring: the secrets that seal and recognise API keys, in a file outside the database.

The last secret is the current one. The others are retired but stay, because rows of revoked keys and backups refer to
them. One more may be prepared: it is known, so that it opens what another machine writes with it, but nothing is
written with it here yet. No secret is used directly: every purpose has its own key, derived by HKDF-SHA-256.
"""

from __future__ import annotations

import hashlib
import secrets
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
from keybearer.server.storage import ring_file
from keybearer.server.storage.ring_file import Content, Entry, Stamp

NONCE_LENGTH = 12
SEAL_VERSION = b"\x01"
"""The first byte of a box. It stands for AES-256-GCM: 12 bytes of nonce, then the ciphertext with its tag of 16
bytes.
"""


@dataclass(frozen=True, slots=True)
class Digest:
    """The value by which a key is found: HMAC-SHA-256 with the named secret."""

    secret_id: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A text sealed with the named secret."""

    secret_id: str
    box: bytes = field(repr=False)


@final
class _KeyedDigest:
    """HMAC-SHA-256 (RFC 2104) with both halves of the key hashed in advance, which costs a quarter on each request."""

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
    """One secret and what is derived from it, prepared once."""

    __slots__ = ("_secret", "digest", "id", "sealer")

    def __init__(self, entry: Entry) -> None:
        self._secret = entry.secret
        self.id = entry.id
        self.digest = _KeyedDigest(self.derive("api key digest"))
        self.sealer = AESGCM(self.derive("seal"))

    def derive(self, purpose: str) -> bytes:
        info = b"keybearer " + purpose.encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._secret)


def _generated() -> Entry:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(secrets.token_hex(4), now, secrets.token_bytes(ring_file.SECRET_LENGTH))


@final
class SecretRing:
    """The secrets. Created by `load` or `create`. The ring reads its file again when the file is rotated."""

    __slots__ = ("_by_id", "_content", "_current", "_digests", "_path", "_replaces", "_secrets", "_stamp")

    def __init__(self, content: Content, path: Path, stamp: Stamp = (), *, replaces: Stamp = ()) -> None:
        self._path = path
        self._replaces = replaces
        self._load_content(content, stamp)

    def _load_content(self, content: Content, stamp: Stamp) -> None:
        secrets = [_RingSecret(entry) for entry in content.entries]
        self._content = content
        self._current = secrets[-1]
        prepared = [] if content.prepared is None else [_RingSecret(content.prepared)]
        self._secrets = (self._current, *prepared, *reversed(secrets[:-1]))
        self._stamp = stamp
        self._by_id: Mapping[str, _RingSecret] = {each.id: each for each in self._secrets}
        self._digests = tuple(each.digest for each in self._secrets)

    @classmethod
    def load(cls, path: Path) -> SecretRing:
        """The ring in the file at `path`. Raises SecretRingError if the file is missing, readable by others
        or broken.
        """
        content, stamp = ring_file.read(path)
        return cls(content, path, stamp)

    @classmethod
    def create(cls, path: Path) -> SecretRing:
        """A ring of one new secret, written to `path`. Raises SecretRingError if the file exists."""
        ring_file.create(path, _generated())
        return cls.load(path)

    def rotated(self) -> SecretRing:
        """This ring with a new current secret: the prepared one, if there is one. `save` writes it."""
        new = self._content.prepared or _generated()
        return SecretRing(Content((*self._content.entries, new)), self._path, replaces=self._stamp)

    def with_prepared(self) -> SecretRing:
        """This ring with a prepared secret. It is the same ring if it already has one. `save` writes it."""
        prepared = self._content.prepared or _generated()
        return SecretRing(Content(self._content.entries, prepared), self._path, replaces=self._stamp)

    def save(self) -> None:
        """Write a ring that `rotated` or `with_prepared` returned.

        Raises SecretRingError if the file cannot be written, or is no longer the file that this ring was made from:
        somebody else rotated in the meantime, and what they sealed must not be lost.
        """
        ring_file.replace(self._path, self._content, expected=self._replaces)
        self._load_content(*ring_file.read(self._path))

    def refresh(self) -> bool:
        """Read the file again if it was replaced since. True if the ring has changed.

        If the new file cannot be read, the ring stays as it is: it still opens what it opened before. A ring that has
        not been saved yet stays as it is too.
        """
        if not self._stamp:
            return False
        try:
            if ring_file.stamp(self._path.stat()) == self._stamp:
                return False
            content, stamp = ring_file.read(self._path)
        except (OSError, SecretRingError):
            return False
        before = self.ids
        self._load_content(content, stamp)
        return self.ids != before

    @property
    def path(self) -> Path:
        """The path of the ring's file."""
        return self._path

    @property
    def current_id(self) -> str:
        """The id of the secret with which new rows are written."""
        return self._current.id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all secrets, the current one first."""
        return tuple(each.id for each in self._secrets)

    def fingerprints(self) -> Mapping[str, bytes]:
        """A fingerprint for the secret of each id. It distinguishes secrets with the same id and reveals nothing else
        about them.
        """
        return {each.id: each.derive("fingerprint") for each in self._secrets}

    def digest(self, key: Secret) -> Digest:
        """The digest under which a new key is stored. It uses the current secret, also after a rotation."""
        self.refresh()
        current = self._current
        return Digest(current.id, current.digest(key.reveal().encode()))

    def digests(self, key: Secret | str) -> tuple[bytes, ...]:
        """All digests under which the key may be stored, that of the current secret first."""
        text = (key if isinstance(key, str) else key.reveal()).encode()
        if len(self._digests) == 1:  # nearly always, and every request asks
            return (self._current.digest(text),)
        return tuple([digest(text) for digest in self._digests])

    def seal(self, text: Secret, bound_to: bytes) -> Sealed:
        """Seal a text so that it opens only in the place that `bound_to` names."""
        current = self._current
        nonce = secrets.token_bytes(NONCE_LENGTH)
        box = current.sealer.encrypt(nonce, text.reveal().encode(), SEAL_VERSION + bound_to)
        return Sealed(current.id, SEAL_VERSION + nonce + box)

    def unseal(self, sealed: Sealed, bound_to: bytes) -> Secret:
        """Open what `seal` sealed. Raises SecretRingError if the secret is gone or the box was changed."""
        secret = self._by_id.get(sealed.secret_id)
        if secret is None and self.refresh():
            secret = self._by_id.get(sealed.secret_id)
        if secret is None:
            raise SecretRingError(
                f"The secrets file {self._path} lacks the secret {sealed.secret_id}, with which a row is sealed",
                hint="Put the right secrets file back in its place.",
            )
        # The box's version byte is part of what was sealed, so a box with a changed version does not open.
        version, nonce, box = sealed.box[:1], sealed.box[1 : 1 + NONCE_LENGTH], sealed.box[1 + NONCE_LENGTH :]
        try:
            return Secret(secret.sealer.decrypt(nonce, box, version + bound_to).decode())
        except (InvalidTag, ValueError):
            raise SecretRingError(
                "A sealed value does not open: its row was tampered with, or the secrets file is another one",
                hint="Put the right secrets file back in its place, or restore the database from a backup.",
            ) from None

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """32 bytes for one more purpose under every secret, the current one first. So what was made before a rotation
        is still recognised.
        """
        self.refresh()
        return tuple(secret.derive(purpose) for secret in self._secrets)

    def __repr__(self) -> str:
        return f"SecretRing(current_id={self.current_id!r}, secrets={len(self._secrets)})"
