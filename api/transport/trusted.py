"""Trusted documents: the operations of our own clients, known at start and named by their hash."""

from collections.abc import Mapping
from pathlib import Path

from api.transport.operations import Operations, digest_of


class TrustedDocumentInvalid(Exception):
    """A file of TSUR_TRUSTED_DOCUMENTS holds no operation of this schema."""


def trust(operations: Operations, folder: Path) -> Mapping[str, str]:
    """Trust every *.graphql file in it; their names with the SHA-256 of their bytes.

    Raises TrustedDocumentInvalid.
    """
    named = {}
    for path in sorted(folder.rglob("*.graphql")):
        name = str(path.relative_to(folder))
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            raise TrustedDocumentInvalid(f"{name}: it is not UTF-8") from None
        document = operations.trust(text)
        if document.errors:
            raise TrustedDocumentInvalid(f"{name}: {document.errors[0]}")
        named[name] = digest_of(text)
    return named
