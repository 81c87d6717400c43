-- At a hub: how far each region is compared with its node (regions/federation/watching.py), from the newest down.
CREATE TABLE compared (
    region    text PRIMARY KEY,
    below     bigint NOT NULL DEFAULT 0,    -- positions up to here are still to be compared
    begun_at  timestamptz,                  -- when this round began; null: none yet
    looked_at timestamptz                   -- whose turn it is
);

-- What is not at the hub as it is at the region's node.
CREATE TABLE difference (
    region   text   NOT NULL,
    pos      bigint NOT NULL,
    what     text   NOT NULL CHECK (what IN ('MISSING', 'FOREIGN', 'OTHER')), -- seen from the hub
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (region, pos)
);
GRANT SELECT ON difference TO tsur_reader;
