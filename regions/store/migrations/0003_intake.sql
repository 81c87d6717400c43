-- What platforms delivered, kept before it was answered: an answer of 2xx means that it survives.
-- The body is sealed with a key of its day, and gone once its facts stand in the log.
CREATE TABLE inbox (
    id           uuid PRIMARY KEY,       -- a UUIDv7
    source       text        NOT NULL,   -- code of the group, chat or feed it came from
    region       text        NOT NULL,
    update_key   text        NOT NULL,   -- the same when the same is delivered again
    received_at  timestamptz NOT NULL,
    subject      uuid        NOT NULL,   -- whose key seals the body
    sealed_body  bytea,                  -- null once it is taken in
    state        text        NOT NULL DEFAULT 'WAITING'
                 CHECK (state IN ('WAITING', 'TAKEN', 'QUARANTINED')),
    tries        integer     NOT NULL DEFAULT 0, -- of a fact whose original has not come yet
    reason       text,                   -- why it is quarantined, or what it came to
    detail       text,                   -- the same in words; holds no personal data
    settled_at   timestamptz,
    CONSTRAINT update_once UNIQUE (source, update_key)
);
CREATE INDEX inbox_unsettled ON inbox (state, received_at) WHERE state <> 'TAKEN';
CREATE INDEX inbox_by_source ON inbox (source, received_at DESC);

-- Jobs that were begun: counted before the work, so that one that kills its worker is noticed.
CREATE TABLE job (
    message_id  uuid PRIMARY KEY,
    actor       text        NOT NULL,
    arguments   jsonb       NOT NULL,    -- identifiers only
    attempts    integer     NOT NULL DEFAULT 0,
    error       text,                    -- kind of the last error; its text may quote a citizen
    quarantined boolean     NOT NULL DEFAULT false, -- given up: an operator decides
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX job_quarantined ON job (changed_at) WHERE quarantined;

-- Replies on their way to the authors they are for. The id is the key by which a platform that can
-- recognises a repeated call.
CREATE TABLE delivery (
    id          uuid PRIMARY KEY,        -- a UUIDv7
    region      text        NOT NULL,
    incident_id uuid        NOT NULL,
    draft       integer     NOT NULL,    -- version of the event that has the text
    message     uuid        NOT NULL,    -- whose author it is for
    channel     text        NOT NULL,
    source      text        NOT NULL,
    state       text        NOT NULL DEFAULT 'WAITING'
                CHECK (state IN ('WAITING', 'SENDING', 'SENT', 'FAILED')),
    attempts    integer     NOT NULL DEFAULT 0,
    external_id text,                    -- of the reply on its platform
    reason      text,                    -- why it failed
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT delivery_once UNIQUE (incident_id, draft, message)
);
CREATE INDEX delivery_unsettled ON delivery (changed_at) WHERE state IN ('WAITING', 'SENDING');

-- Our own replies have ids on their channels too: who answers one answers the incident.
ALTER TABLE message_key ADD COLUMN ours boolean NOT NULL DEFAULT false;

-- What messages are compared by: keyed sketches, from which nobody reads a word.
CREATE TABLE remembered (
    incident_id  uuid PRIMARY KEY,
    region       text        NOT NULL,
    written_at   timestamptz NOT NULL,
    fingerprint  bytea       NOT NULL,
    sketch       bytea       NOT NULL,
    author       bytea,                  -- keyed hash of the author's name on the platform
    topic        text,
    municipality text,
    address      text,
    latitude     double precision,
    longitude    double precision
);
CREATE INDEX remembered_recently ON remembered (region, written_at DESC);
CREATE INDEX remembered_text ON remembered (region, fingerprint);
