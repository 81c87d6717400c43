"""Recent messages as they are compared: by keyed sketches, never by their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from regions.reading.likeness import fingerprint, sketch
from regions.reading.suggestions import WINDOW, Remembered, Suggestion, suggestions
from regions.store.event_store import unavailable
from regions.store.vault import Vault

COMPARED_MAX = 1000  # the latest of a region; half a millisecond


@dataclass(frozen=True)
class Memory:
    """Of all regions of a database. Its methods raise StoreUnavailable."""

    pool: ConnectionPool
    vault: Vault

    def of(
        self,
        incident: UUID,
        text: str,
        author_key: str,
        *,
        written_at: datetime,
        topic: str | None = None,
        municipality: str | None = None,
        address: str | None = None,
        point: tuple[float, float] | None = None,
    ) -> Remembered:
        """A message as it is compared; nothing is stored yet."""
        return Remembered(
            incident=incident,
            written_at=written_at,
            fingerprint=fingerprint(text, self.vault.pepper(b"fingerprint of a text")),
            sketch=sketch(text, self.vault.pepper(b"sketch of a text")),
            topic=topic,
            municipality=municipality,
            address=address,
            point=point,
            author=self.vault.fingerprint(b"author:" + author_key.encode()),
        )

    def keep(self, region: str, new: Remembered) -> None:
        """Remember it; what is older than anybody compares with is forgotten."""
        with self._connection() as connection:
            connection.execute(
                """
                INSERT INTO remembered (incident_id, region, written_at, fingerprint, sketch,
                                        author, topic, municipality, address, latitude, longitude)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                    ON CONFLICT (incident_id) DO NOTHING
                """,
                [
                    *(new.incident, region, new.written_at, new.fingerprint, new.sketch),
                    *(new.author, new.topic, new.municipality, new.address),
                    *(new.point or (None, None)),
                ],
            )
            connection.execute(
                "DELETE FROM remembered WHERE region = %s AND written_at < %s",
                [region, new.written_at - WINDOW - timedelta(days=1)],
            )

    def author_of(self, incident: UUID) -> bytes | None:
        """Who wrote the message that began an incident, as far as it is remembered."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT author FROM remembered WHERE incident_id = %s", [incident]
            ).fetchone()
        return row[0] if row else None

    def repeated_by(
        self, region: str, incidents: Sequence[UUID], *, now: datetime
    ) -> list[list[Suggestion]]:
        """Which earlier incidents each may repeat; none once it is forgotten itself."""
        remembered = self.recent(region, now)
        own = {each.incident: each for each in remembered}

        def repeated(incident: UUID) -> list[Suggestion]:
            if incident not in own:
                return []
            written_at = own[incident].written_at
            earlier = [each for each in remembered if each.written_at <= written_at]
            return suggestions(own[incident], earlier, now=now)

        return [repeated(incident) for incident in incidents]

    def recent(self, region: str, now: datetime) -> Sequence[Remembered]:
        """The latest of a region, within the window; those taken in beside this one too."""
        with self._connection() as connection:
            rows = connection.execute(
                """
                SELECT incident_id,
                       written_at,
                       fingerprint,
                       sketch,
                       topic,
                       municipality,
                       address,
                       latitude,
                       longitude,
                       author
                  FROM remembered
                 WHERE region = %s
                   AND written_at >= %s
                 ORDER BY written_at DESC
                 LIMIT %s
                """,
                [region, now - WINDOW, COMPARED_MAX],
            ).fetchall()
        return [_remembered(*row) for row in rows]

    def _connection(self) -> Any:
        try:
            return self.pool.connection()
        except psycopg.OperationalError as error:
            raise unavailable(error) from error


def _remembered(
    incident: UUID, written_at: datetime, fingerprint: bytes, sketch: bytes, *facts: Any
) -> Remembered:
    topic, municipality, address, latitude, longitude, author = facts
    return Remembered(
        incident=incident,
        written_at=written_at,
        fingerprint=fingerprint,
        sketch=sketch,
        topic=topic,
        municipality=municipality,
        address=address,
        point=None if latitude is None else (latitude, longitude),
        author=author,
    )
