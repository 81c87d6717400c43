"""`tsur archive` as its operator calls it."""

from pathlib import Path

import psycopg
from typer.testing import CliRunner

from api.cli import cli
from tests.conftest import NEW_YORK


def test_what_was_moved_is_told(url: str, tmp_path: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO access_log (at, region, actor, role, action, outcome)"
            " VALUES ('2025-12-31 23:59:59+00', 'BRONX', 'a', 'CURATOR', 'register', 'REFUSED'),"
            " ('2026-01-01 00:00:00+00', 'BRONX', 'b', 'CURATOR', 'register', 'REFUSED')"
        )
    told = CliRunner().invoke(
        cli,
        ["archive", "--before", "2026-01", str(tmp_path)],
        env={"TSUR_DATABASE_URL": url, "TSUR_CATALOGUE": str(NEW_YORK)},
    )
    assert told.exit_code == 0, told.output
    assert [file.name for file in tmp_path.iterdir()] == ["access_log-before-2026-01.csv.gz"]
