"""The secret ring: what seals API keys and recognises them, in a file outside the database.

The last secret is the current one; the others are retired, and stay: rows of revoked keys name them, and so do backups.
One may be prepared: known, so that it opens what another machine writes under it, but not written under yet.
No secret is used itself: every purpose has a key of its own, derived by HKDF-SHA-256.
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
    """The secrets. Made by `load` or `create`; it follows its file when that is rotated."""

    __slots__ = ("_by_id", "_content", "_current", "_digests", "_path", "_replaces", "_secrets", "_stamp")

    def __init__(self, content: Content, path: Path, stamp: Stamp = (), *, replaces: Stamp = ()) -> None:
        self._path = path
        self._replaces = replaces
        self._take(content, stamp)

    def _take(self, content: Content, stamp: Stamp) -> None:
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
        """The ring in the file at `path`. Raises SecretRingError if it is missing, readable by others or broken."""
        content, stamp = ring_file.read(path)
        return cls(content, path, stamp)

    @classmethod
    def create(cls, path: Path) -> SecretRing:
        """A ring of one new secret, written to `path`. Raises SecretRingError if there is a file already."""
        ring_file.create(path, _generated())
        return cls.load(path)

    def rotated(self) -> SecretRing:
        """This ring with a new current secret, the one that is prepared if there is one; `save` writes it."""
        new = self._content.prepared or _generated()
        return SecretRing(Content((*self._content.entries, new)), self._path, replaces=self._stamp)

    def with_prepared(self) -> SecretRing:
        """This ring with a secret that is prepared, the same if there is one already; `save` writes it."""
        prepared = self._content.prepared or _generated()
        return SecretRing(Content(self._content.entries, prepared), self._path, replaces=self._stamp)

    def save(self) -> None:
        """Write a ring that `rotated` or `with_prepared` made.

        Raises SecretRingError where the file cannot be written, or is not the one any more that this ring was made
        from: somebody else rotated meanwhile, and what they sealed must not be lost.
        """
        ring_file.replace(self._path, self._content, expected=self._replaces)
        self._take(*ring_file.read(self._path))

    def refresh(self) -> bool:
        """Read the file again if it was replaced since; True if the ring is another one now.

        A ring that cannot be read is left as it is: it still opens what it opened before. So is one that was not
        saved yet.
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
        self._take(content, stamp)
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
        """The ids of all secrets, the current one first."""
        return tuple(each.id for each in self._secrets)

    def fingerprints(self) -> Mapping[str, bytes]:
        """What tells the secret of each id from another of the same id, and tells nothing else of it."""
        return {each.id: each.derive("fingerprint") for each in self._secrets}

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

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """The same under every secret, the current one first: what was derived before a rotation is among these."""
        return tuple(secret.derive(purpose) for secret in self._secrets)

    def __repr__(self) -> str:
        return f"SecretRing(current_id={self.current_id!r}, secrets={len(self._secrets)})"
