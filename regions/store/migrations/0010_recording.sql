-- Events are recorded by one function, which gives them their positions: whoever may call it can neither
-- move a head without events nor put an event beside the head.
CREATE FUNCTION record_events(
    into_region text,
    ids         uuid[],
    versions    integer[],
    topics      text[],
    payloads    text[]
) RETURNS bigint                            -- the position before the first; null: no head here
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    before bigint;
BEGIN
    UPDATE public.region_head
       SET pos = pos + cardinality(ids)
     WHERE region = into_region
    RETURNING pos - cardinality(ids) INTO before;
    INSERT INTO public.events (region, pos, originator_id, originator_version, topic, payload)
    SELECT into_region,
           before + event.ordinal,
           event.id,
           event.version,
           event.topic,
           event.payload::jsonb
      FROM unnest(ids, versions, topics, payloads)
           WITH ORDINALITY AS event (id, version, topic, payload, ordinal)
     WHERE before IS NOT NULL;
    RETURN before;
END $$;
REVOKE ALL ON FUNCTION record_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION record_events TO tsur_writer;
REVOKE INSERT ON events FROM tsur_writer;
REVOKE UPDATE (pos) ON region_head FROM tsur_writer;

-- Rows that an import could not take are personal data, which no process that is open to others needs.
GRANT SELECT, INSERT, DELETE ON import_quarantine TO tsur_importer;

-- What is recorded stays as it is, also for the owner; replication passes triggers by. Only a region on
-- its way to another node is removed from the one that it leaves.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM public.moving WHERE region = OLD.region) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'What is recorded stays as it is' USING ERRCODE = 'TS002';
END $$;
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON events
   FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON events
   FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON region_head
   FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
