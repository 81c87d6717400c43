-- The read models. Nothing here is a record: dropped and rebuilt from the events at will.
-- All of it lives in one PostgreSQL schema, its tracking included, so that a rebuilt copy takes the
-- place of the old by renaming two schemas in one transaction.

-- Which release of the read models this is.
CREATE TABLE built (
    version  text NOT NULL,                 -- of projections/release.py
    built_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How far the events of each region are taken in; moves in the transaction that writes the rows.
CREATE TABLE tracking (
    region       text PRIMARY KEY,
    pos          bigint NOT NULL DEFAULT 0,
    projected_at timestamptz,              -- when the last batch was taken in
    stopped      boolean NOT NULL DEFAULT false -- a dead letter blocks this region
) WITH (fillfactor = 10);

-- Events that could not be projected, each the next of its region.
CREATE TABLE dead_letter (
    region      text NOT NULL,
    pos         bigint NOT NULL,
    topic       text NOT NULL,
    error       text NOT NULL,              -- the kind of error and where; no payload
    skipped     boolean NOT NULL DEFAULT false, -- an operator decided to go on without it
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (region, pos)
);

-- One row per incident, as it stands now. One writer, three readers.
CREATE TABLE incident (
    id               uuid PRIMARY KEY,
    region           text NOT NULL,
    municipality     text,                  -- null: not located yet
    cell             text,                  -- H3 cell of its point, resolution 9 (0.1 km2)
    version          integer NOT NULL,
    pos              bigint NOT NULL,       -- of its last event
    status           text NOT NULL,
    open             boolean NOT NULL,      -- something is left to do
    counted          boolean NOT NULL,      -- in the statistics: not rejected, merged, transferred
    channel          text NOT NULL,
    source           text,                  -- the group, chat or feed it was found in
    kind             text NOT NULL,
    regime           text NOT NULL,
    priority         text NOT NULL,
    topic            text,
    organisation     text,
    holder           text,                  -- a person there
    merged_into      uuid,                  -- the incident that answers for it
    transferred_to   text,                  -- the region that has it now
    origin_region    text,                  -- the region it came from
    origin           uuid,                  -- the incident there
    recurrence_of    uuid,                  -- the same topic and place was solved before
    messages         integer NOT NULL,      -- of citizens, merged incidents' included
    controller       text,                  -- who holds it under personal control
    outcome          text,                  -- of the last resolution of this cycle
    cycle            integer NOT NULL,
    returns          integer NOT NULL,      -- how often an executor sent it back
    hops             integer NOT NULL,      -- how often it went on: sent back, or to another body
    undelivered      text,                  -- why a platform did not take the last reply
    undelivered_draft integer,              -- of which reply: version of the event that has its text
    promised_on      date,                  -- when the citizen was told it will be solved
    promise_moves    integer NOT NULL,
    promise_kept     boolean,               -- of this cycle; null: nothing promised, or open
    rating           integer,               -- by the citizen, 1 to 5, the last
    disputes         integer NOT NULL,
    recurred         boolean NOT NULL,      -- solved, and the same topic and place came again
    final_replies    integer NOT NULL,      -- by humans, of all cycles
    final_replies_on_source integer NOT NULL, -- of them, on the channel where the citizen wrote
    auto_replies     integer NOT NULL,      -- by no human
    replies_deleted  integer NOT NULL,      -- gone from their platform, whoever deleted them
    reply_fingerprint bytea,                -- of the text of the last final reply by a human
    root_cause       text,
    published_at     timestamptz NOT NULL,  -- when the citizen wrote
    captured_at      timestamptz NOT NULL,  -- when the centre had it
    registered_at    timestamptz NOT NULL,  -- of a message that is no incident yet, when captured
    registered_on    date NOT NULL,         -- the local day of registered_at
    cycle_started_at timestamptz NOT NULL,  -- registration, or the last reopening
    assigned_at      timestamptz,           -- first assignment
    accepted_at      timestamptz,           -- first taken into work
    first_replied_at timestamptz,           -- first reply by a human, whatever its kind
    reply_due_at     timestamptz,           -- until when the citizen waits for a reply, if they do
    due_at           timestamptz,           -- solution deadline of this cycle
    due_on           date,                  -- the local day of due_at
    first_due_at     timestamptz,           -- the same before it was extended
    alarms           text,                  -- what the clocks still have to say, by their names
    alarm_at         timestamptz,           -- the first of it
    resolved_at      timestamptz,           -- of this cycle
    first_resolved_at timestamptz,          -- of the first cycle
    first_resolved_on date,                 -- its local day
    first_reopened_at timestamptz,
    closed_at        timestamptz,
    merged_at        timestamptz,           -- into the incident that answers for it
    changed_at       timestamptz NOT NULL,  -- of its last event
    triage_working_seconds     double precision, -- registered to first assigned, in working time
    accept_working_seconds     double precision, -- assigned to first accepted, in working time
    reply_working_seconds      double precision, -- published to first reply, in working time
    resolution_working_seconds double precision, -- cycle start to resolved, without pauses
    first_resolution_working_seconds double precision, -- the same of the first cycle
    next_reply_seconds         double precision[] NOT NULL, -- further message to its human reply
    next_reply_working_seconds double precision[] NOT NULL, -- the same in working time
    paused_seconds   double precision NOT NULL, -- waiting for the citizen, in this cycle
    latitude         double precision,
    longitude        double precision
);
CREATE INDEX incident_by_region ON incident (region, registered_at DESC, id DESC);
CREATE INDEX incident_by_municipality
    ON incident (region, municipality, registered_at DESC, id DESC);
CREATE INDEX incident_by_time ON incident (registered_at DESC, id DESC);
CREATE INDEX incident_by_registration_day ON incident (region, registered_on);
CREATE INDEX incident_by_due_day ON incident (region, due_on) WHERE due_on IS NOT NULL;
CREATE INDEX incident_by_resolution_day ON incident (region, first_resolved_on)
    WHERE first_resolved_on IS NOT NULL;
CREATE INDEX incident_by_promised_day ON incident (region, promised_on)
    WHERE promised_on IS NOT NULL;
CREATE INDEX incident_by_topic ON incident (topic, registered_at DESC, id DESC);
CREATE INDEX incident_unfinished ON incident (status, registered_at DESC, id DESC)
    WHERE status <> 'CLOSED';
CREATE INDEX incident_waiting ON incident (region, municipality)
    WHERE open OR status IN ('CAPTURED', 'REOPEN_REQUESTED') OR controller IS NOT NULL;
CREATE INDEX incident_by_organisation
    ON incident (organisation, registered_at DESC, id DESC) WHERE open;
CREATE INDEX incident_open ON incident (region, municipality, status) WHERE open;
CREATE INDEX incident_overdue ON incident (region, municipality, due_at)
    WHERE due_at IS NOT NULL AND open;
CREATE INDEX incident_alarm ON incident (region, alarm_at, id) WHERE alarm_at IS NOT NULL;
CREATE INDEX incident_under_control ON incident (region, controller)
    WHERE controller IS NOT NULL;
-- What flags count and compare with all other units (projections/views/flags.py): each of them is rare.
CREATE INDEX incident_by_machine
    ON incident (region, registered_on) INCLUDE (municipality, published_at)
    WHERE counted AND auto_replies > 0 AND (first_replied_at IS NULL
       OR date_part('epoch', first_replied_at - published_at) > 24 * 60 * 60);
CREATE INDEX incident_unsaid ON incident (region, registered_on) INCLUDE (municipality)
    WHERE counted AND replies_deleted > 0;
CREATE INDEX incident_rejected ON incident (region, registered_on) INCLUDE (municipality)
    WHERE status = 'REJECTED';
CREATE INDEX incident_by_merge ON incident (region, merged_at) WHERE merged_at IS NOT NULL;

-- Whoever answers a viewer's question becomes one of these roles (projections/walls.py) and finds the
-- incidents of the viewer's scope, whatever the question forgot to ask. No other table of incidents is
-- theirs to read. Who writes, and who counts for everybody, sees all.
ALTER TABLE incident ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON incident, tracking
    TO tsur_country, tsur_district, tsur_region, tsur_municipality, tsur_organisation, tsur_topics;
CREATE POLICY of_processes ON incident TO tsur_projector, tsur_reader
    USING (true);
CREATE POLICY of_country ON incident FOR SELECT TO tsur_country
    USING (true);
CREATE POLICY of_district ON incident FOR SELECT TO tsur_district
    USING (region = ANY ((SELECT current_setting('tsur.codes'))::text[]));
CREATE POLICY of_region ON incident FOR SELECT TO tsur_region
    USING (region = (SELECT current_setting('tsur.region')));
CREATE POLICY of_municipality ON incident FOR SELECT TO tsur_municipality
    USING (region = (SELECT current_setting('tsur.region'))
           AND municipality = (SELECT current_setting('tsur.within')));
CREATE POLICY of_organisation ON incident FOR SELECT TO tsur_organisation
    USING (region = (SELECT current_setting('tsur.region'))
           AND organisation = (SELECT current_setting('tsur.within')));
CREATE POLICY of_topics ON incident FOR SELECT TO tsur_topics
    USING (region = (SELECT current_setting('tsur.region'))
           AND topic = ANY ((SELECT current_setting('tsur.codes'))::text[]));

-- What happened, in order: the feed of a region, and of each municipality in it.
CREATE TABLE change (
    region       text NOT NULL,
    pos          bigint NOT NULL,
    municipality text,
    moved_from   text,                      -- the municipality that loses it by this change
    incident_id  uuid NOT NULL,
    version      integer NOT NULL,          -- of the incident, after this change
    event        text NOT NULL,             -- the event's topic
    status       text NOT NULL,             -- of the incident, after this change
    occurred_at  timestamptz NOT NULL,
    PRIMARY KEY (region, pos)
);
CREATE INDEX change_link ON change (region, pos) WHERE event = 'IncidentLinked';
CREATE INDEX change_by_municipality ON change (region, municipality, pos);
CREATE INDEX change_by_loser ON change (region, moved_from, pos) WHERE moved_from IS NOT NULL;

-- When the centre of a region worked, or works, under the rules of a crisis.
CREATE TABLE crisis (
    region       text NOT NULL,
    number       integer NOT NULL,          -- 1, 2, 3 … in each region: two may begin at one instant
    declared_at  timestamptz NOT NULL,
    declared_by  text NOT NULL,
    reason       text NOT NULL,
    municipality text,                      -- null: all of the region
    topic_groups text[] NOT NULL,           -- none: all of them
    lifted_at    timestamptz,
    PRIMARY KEY (region, number)
);

-- What was changed so that a kind of problem does not come back.
CREATE TABLE systemic_decision (
    region     text NOT NULL,
    number     text NOT NULL,
    title      text NOT NULL,
    topic      text NOT NULL,
    cause      text NOT NULL,
    decided_on date NOT NULL,
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (region, number)
);

-- Rankings as they were published, with all that is needed to find them again from the log.
CREATE TABLE publication (
    id           uuid PRIMARY KEY,          -- a UUIDv7
    published_at timestamptz NOT NULL,
    role         text NOT NULL,             -- of who published it
    first        date NOT NULL,             -- what was compared: domain/publications.py
    last         date NOT NULL,
    of           text NOT NULL,
    by           text NOT NULL,
    working      boolean NOT NULL,
    method       text NOT NULL,
    only_region  text,
    inputs_hash  text NOT NULL,
    positions    jsonb NOT NULL,            -- by region
    rows         jsonb NOT NULL,
    restates     uuid,                      -- the publication it takes the place of
    reason       text,                      -- why
    restated_by  uuid                       -- the one that took its own
);
CREATE INDEX publication_by_region ON publication (only_region, id DESC);

-- Groups, chats and feeds that are listened to and answered in.
CREATE TABLE source (
    region        text NOT NULL,
    code          text NOT NULL,
    channel       text NOT NULL,
    name          text NOT NULL,
    address       text NOT NULL,            -- how its platform names it
    regime        text NOT NULL,
    municipality  text,                     -- whose group it is
    topic         text,                     -- what everything there is about
    silence_hours integer,                  -- after which nothing heard is an alarm
    opened_at     timestamptz NOT NULL,
    closed_at     timestamptz,
    PRIMARY KEY (region, code)
);

-- One local day of a region and of each municipality in it, recomputed whole from the incident rows
-- whenever one of them changes. What each column counts: projections/statistics/measures.py. The rows of whole
-- regions lie together by day: a ranking reads all of them and nothing else. Of municipalities those
-- of one region are asked for.
CREATE TABLE daily (
    municipality text NOT NULL,             -- '' is the whole region, unlocated incidents included
    day          date NOT NULL,
    /* the columns of statistics/measures.py */
    region       text NOT NULL
) PARTITION BY LIST (municipality);
CREATE TABLE daily_of_region PARTITION OF daily FOR VALUES IN ('');
CREATE TABLE daily_of_municipality PARTITION OF daily DEFAULT;
ALTER TABLE daily_of_region ADD PRIMARY KEY (day, region);
ALTER TABLE daily_of_municipality ADD PRIMARY KEY (region, day, municipality);

-- How long what began on such a day took, by measure: none where nothing is over yet. Apart from the
-- counts, for an event changes few of them, and a question asks for few.
CREATE TABLE daily_duration (
    measure      text NOT NULL,             -- of projections/statistics/measures.py
    municipality text NOT NULL,
    day          date NOT NULL,
    region       text NOT NULL,
    seconds      numeric NOT NULL,          -- the sum of all
    histogram    bytea STORAGE EXTERNAL NOT NULL -- see projections/statistics/histogram.py
) PARTITION BY LIST (municipality);
CREATE TABLE duration_of_region PARTITION OF daily_duration FOR VALUES IN ('');
CREATE TABLE duration_of_municipality PARTITION OF daily_duration DEFAULT;
ALTER TABLE duration_of_region ADD PRIMARY KEY (measure, day, region);
ALTER TABLE duration_of_municipality ADD PRIMARY KEY (measure, region, day, municipality);

-- The same of whole calendar months of whole regions, always the sum of their days: a longer period
-- reads these, for buckets fill up while the histograms of many days only pile up. Those of
-- municipalities have few cases a day: their months would cost more to keep than they save.
CREATE TABLE monthly_duration (
    measure   text NOT NULL,
    month     date NOT NULL,                -- its first day
    region    text NOT NULL,
    seconds   numeric NOT NULL,
    histogram bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (measure, month, region)
);
