"""Personal data under lock: one key per subject, each wrapped with the node's vault key.

Destroying a subject's key makes everything sealed with it unreadable, in the log, in read models
and in copies of both, while no event is rewritten and no statistic changes.
"""

import contextlib
import hashlib
import hmac
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.events import Sealed

ALGORITHM = "A256GCM"
KEY_BYTES = 32
NONCE_BYTES = 12  # as NIST SP 800-38D recommends for GCM


class VaultKeyInvalid(Exception):
    """A key file is damaged or belongs to another node; restore it from its backup."""


@dataclass(frozen=True, slots=True)
class SubjectKey:
    subject: UUID
    key: bytes
    wrapped: bytes  # what may be stored


class Vault:
    """Seals and opens with keys it is handed; where they are stored is the centre's matter."""

    def __init__(self, vault_key: bytes) -> None:
        self._wrapping = AESGCM(vault_key)
        self._pepper = hashlib.sha256(b"tsur fingerprint" + vault_key).digest()

    def new_key(self, subject: UUID | None = None) -> SubjectKey:
        """Of a subject nobody else knows, or of this one."""
        return self.wrap(subject or uuid4(), AESGCM.generate_key(256))

    def wrap(self, subject: UUID, key: bytes) -> SubjectKey:
        nonce = os.urandom(NONCE_BYTES)
        return SubjectKey(subject, key, nonce + self._wrapping.encrypt(nonce, key, subject.bytes))

    def unwrap(self, subject: UUID, wrapped: bytes) -> SubjectKey:
        """Raises VaultKeyInvalid if it was wrapped with another vault key."""
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return SubjectKey(
                subject, self._wrapping.decrypt(nonce, sealed, subject.bytes), wrapped
            )
        except InvalidTag:
            raise VaultKeyInvalid from None

    def fingerprint(self, content: bytes) -> bytes:
        """A keyed hash: without the vault key nobody can try guesses of the content against it."""
        return hmac.digest(self._pepper, content, "sha256")[:16]

    def pepper(self, use: bytes) -> bytes:
        """A key of 32 bytes for hashes of one use, which says nothing of the others."""
        return hmac.digest(self._pepper, use, "sha256")


def seal(key: SubjectKey, content: bytes, *, bound_to: bytes) -> Sealed:
    """`bound_to` names the place of the content: moved elsewhere it does not open."""
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = nonce + AESGCM(key.key).encrypt(nonce, content, bound_to)
    return Sealed(key.subject, ALGORITHM, ciphertext)


def unseal(key: SubjectKey, sealed: Sealed, *, bound_to: bytes) -> bytes:
    """Raises InvalidTag if it was sealed elsewhere, or altered since."""
    nonce, ciphertext = sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:]
    return AESGCM(key.key).decrypt(nonce, ciphertext, bound_to)


def read_secret(file: Path) -> bytes:
    """32 random bytes of this node; made on first use, readable by its owner only.

    Raises VaultKeyInvalid if the file does not hold 32 bytes.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        _make_secret(file)
    key = file.read_bytes()
    if len(key) != KEY_BYTES:
        raise VaultKeyInvalid
    return key


def put_secret(file: Path, key: bytes) -> None:
    """Let a secret be this one, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(key)
    Path(draft).replace(file)


def _make_secret(file: Path) -> None:
    """Whole or not at all; of two processes at once one wins, since link() replaces nothing."""
    descriptor, draft = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(os.urandom(KEY_BYTES))
        opened.flush()
        os.fsync(opened.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    Path(draft).unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)  # the name, too: what is sealed with a lost key is lost
    os.close(folder)
