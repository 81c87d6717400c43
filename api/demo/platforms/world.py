"""What stands on the platforms: posts, comments, messages, by citizens and by the centre.

It is kept in SQLite, in memory or in a file: then it survives a kill.
"""

import sqlite3
import time
from dataclasses import dataclass

BEGINNING = 1_735_689_600  # Unix time of 2025-01-01
IDS_A_SECOND = 10  # more than are given in the long run

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    platform TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,        -- post, comment, message
    name TEXT,                 -- as the platform would have it
    chat INTEGER NOT NULL,     -- wall, group, or the citizen of a private chat
    parent INTEGER,            -- the post a comment stands under
    reply_to INTEGER,
    author INTEGER NOT NULL,
    author_name TEXT NOT NULL,
    text TEXT NOT NULL,
    at REAL NOT NULL,          -- Unix time
    edited_at REAL,
    deleted INTEGER NOT NULL DEFAULT 0,
    suggested INTEGER NOT NULL DEFAULT 0,
    latitude REAL,
    longitude REAL,
    ours INTEGER NOT NULL DEFAULT 0,
    key TEXT,                  -- by which the platform knows a repeated call
    UNIQUE (platform, source, name),
    UNIQUE (platform, source, key)
);
CREATE INDEX IF NOT EXISTS entry_parent ON entry (parent);
CREATE INDEX IF NOT EXISTS entry_chat ON entry (platform, source, chat);
-- Comments closed under a post, people who do not want to be written to.
CREATE TABLE IF NOT EXISTS bar (
    what TEXT PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS status (
    number INTEGER PRIMARY KEY,
    message TEXT NOT NULL,
    status TEXT NOT NULL,
    at TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    path TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    expected TEXT,             -- the body of the answer; NULL: any with a status of 2xx
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due) WHERE NOT done;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the table; its columns are explained there."""

    number: int = 0  # 0: not stored yet
    platform: str
    source: str
    kind: str
    name: str | None = None
    chat: int
    parent: int | None = None
    reply_to: int | None = None
    author: int
    author_name: str
    text: str
    at: float
    edited_at: float | None = None
    deleted: bool = False
    suggested: bool = False
    latitude: float | None = None
    longitude: float | None = None
    ours: bool = False
    key: str | None = None


COLUMNS = tuple(Entry.__slots__)


class World:
    def __init__(self, file: str) -> None:
        self.rows = sqlite3.connect(file, isolation_level=None)
        # A kill of this process loses nothing with it; only a crash of the machine would.
        self.rows.execute("PRAGMA journal_mode = WAL")
        self.rows.execute("PRAGMA synchronous = NORMAL")
        self.rows.executescript(SCHEMA)
        self._begin_late()

    def _begin_late(self) -> None:
        """Ids never come twice, not even after a start without the memory of the last one."""
        if self.rows.execute("SELECT 1 FROM sqlite_sequence").fetchone() is None:
            first = int(time.time() - BEGINNING) * IDS_A_SECOND
            self.rows.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES ('entry', ?), ('delivery', ?)",
                [first, first],
            )

    def next_delivery(self) -> int:
        row = self.rows.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'delivery'")
        return int(row.fetchone()[0])

    def clear(self) -> None:
        for table in ("entry", "bar", "status", "delivery"):
            self.rows.execute(f"DELETE FROM {table}")

    def add(self, entry: Entry) -> Entry:
        """Stored, with its number and without a name yet."""
        columns = [column for column in COLUMNS if column not in ("number", "name")]
        row = self.rows.execute(
            f"INSERT INTO entry ({', '.join(columns)})"
            f" VALUES ({', '.join('?' * len(columns))}) RETURNING number",
            [getattr(entry, column) for column in columns],
        ).fetchone()
        return self.entry(int(row[0]))

    def rename(self, number: int, name: str) -> Entry:
        self.rows.execute("UPDATE entry SET name = ? WHERE number = ?", [name, number])
        return self.entry(number)

    def edit(self, number: int, text: str) -> Entry:
        self.rows.execute(
            "UPDATE entry SET text = ?, edited_at = ? WHERE number = ?",
            [text, time.time(), number],
        )
        return self.entry(number)

    def set_deleted(self, number: int, deleted: bool) -> Entry:
        self.rows.execute("UPDATE entry SET deleted = ? WHERE number = ?", [deleted, number])
        return self.entry(number)

    def entry(self, number: int) -> Entry:
        """Raises LookupError."""
        return self._one("number = ?", number)

    def find(self, number: int | None) -> Entry | None:
        found = self.select("number = ?", number) if number else []
        return found[0] if found else None

    def named(self, name: str) -> Entry:
        """Raises LookupError."""
        return self._one("name = ?", name)

    def keyed(self, platform: str, source: str, key: str) -> Entry | None:
        found = self.select("platform = ? AND source = ? AND key = ?", platform, source, key)
        return found[0] if found else None

    def select(self, condition: str, *values: object) -> list[Entry]:
        """Entries in the order in which they were written."""
        rows = self.rows.execute(
            f"SELECT {', '.join(COLUMNS)} FROM entry WHERE {condition} ORDER BY number", values
        )
        return [Entry(**dict(zip(COLUMNS, row, strict=True))) for row in rows]

    def bar(self, what: str, closed: bool) -> None:
        statement = (
            "INSERT OR IGNORE INTO bar VALUES (?)" if closed else "DELETE FROM bar WHERE what = ?"
        )
        self.rows.execute(statement, [what])

    def is_barred(self, what: str | None) -> bool:
        return self.rows.execute("SELECT 1 FROM bar WHERE what = ?", [what]).fetchone() is not None

    def _one(self, condition: str, value: object) -> Entry:
        found = self.select(condition, value)
        if not found:
            raise LookupError(value)
        return found[0]
