-- What the processes may do (regions/store/roles.py); what they may in the read models stands with these.

-- Records commands, and does what follows from them. Nobody but the owner changes what is recorded.
GRANT SELECT, INSERT ON events, command_result TO tsur_writer;
GRANT SELECT ON region_head, node, migration, followed TO tsur_writer;
GRANT UPDATE (pos, beat_at) ON region_head TO tsur_writer;
GRANT SELECT, INSERT, UPDATE ON message_key, inbox, delivery TO tsur_writer;
GRANT SELECT, INSERT, DELETE ON subject_key, export_part TO tsur_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON job, remembered, export, field_usage TO tsur_writer;
GRANT INSERT ON access_log TO tsur_writer;
GRANT USAGE ON SCHEMA dramatiq TO tsur_writer, tsur_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON dramatiq.queue, dramatiq.worker TO tsur_writer;
GRANT SELECT, DELETE ON dramatiq.result TO tsur_writer;

-- Answers questions.
GRANT SELECT ON events, region_head, followed, job, inbox, dramatiq.queue TO tsur_reader;

-- Takes events into the read models.
GRANT SELECT ON events, region_head, followed TO tsur_projector;

-- What the subscription of a hub connects as.
GRANT SELECT ON events, region_head TO tsur_replication;

-- What a hub follows is written by nothing but replication, which passes triggers by; what the hub
-- itself does (its publications) is its own.
CREATE OR REPLACE FUNCTION refuse_followed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    SELECT region INTO told FROM public.followed WHERE region IN (NEW.region, OLD.region);
    IF FOUND THEN
        RAISE EXCEPTION 'Region % is written by its own node', told USING ERRCODE = 'TS001';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM followed) THEN
        CREATE TRIGGER written_elsewhere BEFORE INSERT OR UPDATE OR DELETE ON events
           FOR EACH ROW EXECUTE FUNCTION refuse_followed();
    END IF;
END $$;
