-- A region on its way from one node to another (regions/federation/moving.py). Whoever stands here gets no head.
CREATE TABLE moving (
    region text PRIMARY KEY,
    state  text NOT NULL CHECK (state IN ('LEAVING', 'LEFT', 'ARRIVING')),
    node   text NOT NULL                    -- where it goes to, or comes from
);

-- What is written without a region's head is refused as well, once it is leaving.
CREATE FUNCTION refuse_moving() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM public.moving WHERE region = NEW.region AND state <> 'ARRIVING') THEN
        RAISE EXCEPTION 'Region % has moved to another node', NEW.region USING ERRCODE = 'TS001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER moved_elsewhere BEFORE INSERT OR UPDATE ON inbox
   FOR EACH ROW EXECUTE FUNCTION refuse_moving();
CREATE TRIGGER moved_elsewhere BEFORE INSERT OR UPDATE ON delivery
   FOR EACH ROW EXECUTE FUNCTION refuse_moving();
CREATE TRIGGER moved_elsewhere BEFORE INSERT ON remembered
   FOR EACH ROW EXECUTE FUNCTION refuse_moving();
GRANT SELECT ON moving TO tsur_writer;
