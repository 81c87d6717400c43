"""What does order cost? Commits a second of 8 clients, with the store's statement and without.

pgbench runs the statements, as clients in Python would be slower than the server. The statement of
the store is its own text; "plain" inserts the same row at a position from a sequence, which orders
nothing; "stock" takes the library's lock and notifies, as its recorder does.
"""

import re
import subprocess
import tempfile
from statistics import median

import psycopg

from api.progress import bar
from bench.result import Result, at_least, info
from bench.scratch import Scratch
from regions.store.event_store import APPEND_EVENTS, LAST_POSITION
from regions.store.postgres import find_binaries

CLIENTS = 8
SECONDS = 2
ROUNDS = 12  # many and short: the neighbours of a shared machine come and go
REGIONS = 89

PAYLOAD = (
    '{"region": "63", "municipality": "63-samara", "occurred_at": "2026-03-02T12:00:00.123456Z", '
    '"actor": "curator", "role": "CURATOR", "organisation": "63-water", '
    '"due_at": "2026-03-05T12:00:00Z"}'
)
# What pgbench puts for the parameters of a save of one event.
EXPRESSIONS = {
    "region": "to_char(:region::int, 'FM00')",
    "ids": "ARRAY[lpad(to_hex(:id::bigint), 32, '0')]",
    "versions": "ARRAY[1]",
    "topics": "ARRAY['IncidentAssigned']",
    "payloads": f"ARRAY['{PAYLOAD}']",
}
CHOOSE = r"""
\set region random(1, :regions)
\set id random(1, 9000000000000000000)
"""
OWN = APPEND_EVENTS + LAST_POSITION
PLAIN = """
INSERT INTO events (region, pos, originator_id, originator_version, topic, payload)
SELECT %(region)s,
       nextval('plain_pos'),
       event.id,
       event.version,
       event.topic,
       event.payload::jsonb
  FROM unnest(%(ids)b::uuid[], %(versions)b::int[], %(topics)b::text[], %(payloads)b::text[])
       AS event (id, version, topic, payload)
RETURNING pos
"""
STOCK = rf"""
\startpipeline
BEGIN;
LOCK TABLE events IN EXCLUSIVE MODE;
NOTIFY events;
{PLAIN};
COMMIT;
\endpipeline
"""


def run(scratch: Scratch) -> list[Result]:
    scripts = {"own": OWN, "plain": PLAIN, "stock": STOCK, "one_region": OWN}
    rates: dict[str, list[float]] = {name: [] for name in scripts}
    url = scratch.database()
    _prepare(url)
    with bar("Committing") as progress:
        for turn in range(ROUNDS):
            for name, script in scripts.items():
                regions = 1 if name == "one_region" else REGIONS
                rates[name].append(_commits_per_second(url, script, regions))
            progress(turn + 1, ROUNDS)
    against_plain = {name: _ratio(rate, rates["plain"]) for name, rate in rates.items()}
    return [
        at_least("commits.own_to_plain", against_plain["own"], "x plain insert", 0.7),
        info("commits.one_region_to_plain", against_plain["one_region"], "x plain insert"),
        info("commits.stock_to_plain", against_plain["stock"], "x plain insert"),
        *(info(f"commits.{name}", median(rate), "commits/s") for name, rate in rates.items()),
    ]


def _prepare(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SEQUENCE plain_pos START 1000000000")
        connection.execute(
            """
            INSERT INTO region_head (region)
            SELECT to_char(number, 'FM00')
              FROM generate_series(1, %s) AS number
                ON CONFLICT DO NOTHING
            """,
            [REGIONS],
        )


def _commits_per_second(url: str, script: str, regions: int) -> float:
    statement = re.sub(r"%\((\w+)\)[sb]", lambda found: EXPRESSIONS[found[1]], script)
    pgbench = str(find_binaries() / "pgbench")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(CHOOSE + statement.strip().removesuffix(";") + ";\n" * (script is not STOCK))
        file.flush()
        options = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-T", str(SECONDS)]
        done = subprocess.run(
            [pgbench, *options, "-D", f"regions={regions}", "-f", file.name, url],
            check=True,
            capture_output=True,
            text=True,
        )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def _ratio(rates: list[float], others: list[float]) -> float:
    """The median over the rounds."""
    return median(rate / other for rate, other in zip(rates, others, strict=True))
