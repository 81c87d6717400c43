"""Links that open one export for a few minutes, to whoever holds them: for a browser's download."""

from datetime import datetime, timedelta
from uuid import UUID

import jwt

from api.viewer import ALGORITHM

AUDIENCE = "tsur-export"  # no token opens a file as a link does, and no link signs anybody in
VALID_FOR = timedelta(minutes=10)


def issue_link(key: bytes, export_id: UUID, *, now: datetime) -> str:
    claims = {"aud": AUDIENCE, "exp": now + VALID_FOR, "sub": str(export_id)}
    return jwt.encode(claims, key, ALGORITHM)


def opens(key: bytes, link: str, export_id: UUID, *, now: datetime) -> bool:
    """Whether it is a link of ours to this export, and has not expired."""
    try:
        claims = jwt.decode(
            link,
            key,
            [ALGORITHM],
            audience=AUDIENCE,
            # By the node's clock, as everything about exports.
            options={"require": ["exp", "aud", "sub"], "verify_exp": False},
        )
    except jwt.InvalidTokenError:
        return False
    of_export: bool = claims["sub"] == str(export_id)
    return of_export and now.timestamp() < claims["exp"]
