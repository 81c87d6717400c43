-- A hub follows the logs of other nodes by logical replication of `events` and `region_head`.

-- A node tells its hub that it lives by touching the heads of its regions, also while nothing happens.
ALTER TABLE region_head ADD COLUMN beat_at timestamptz;  -- by the clock of the region's node

-- At a hub: which regions come from which node, and when each was last heard of.
CREATE TABLE followed (
    region   text PRIMARY KEY,
    node     text NOT NULL,
    heard_at timestamptz                    -- by our own clock; null: nothing came yet
);

-- What is followed is written by its own node only.
CREATE FUNCTION refuse_followed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Region % is written by its own node', NEW.region USING ERRCODE = 'TS001';
END $$;
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.followed SET heard_at = clock_timestamp() WHERE region = NEW.region;
    RETURN NULL;
END $$;
