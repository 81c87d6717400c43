-- The record: what happened, region by region. Everything else can be rebuilt from here.

-- The last position given out in each region. Its row lock is the commit order of the region:
-- who holds it appends; a rollback gives the positions back, so there is never a gap.
CREATE TABLE region_head (
    region text PRIMARY KEY,
    pos    bigint NOT NULL DEFAULT 0 CHECK (pos >= 0)
) WITH (fillfactor = 10);

CREATE TABLE events (
    region             text        NOT NULL,
    pos                bigint      NOT NULL, -- 1, 2, 3 … without a gap: count(*) = max(pos)
    originator_id      uuid        NOT NULL, -- the incident, a UUIDv7
    originator_version integer     NOT NULL, -- 1, 2, 3 … in the life of the incident
    topic              text        NOT NULL, -- which kind of event, a word of the domain
    payload            jsonb       NOT NULL, -- its fields; personal data only sealed
    recorded_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_position PRIMARY KEY (region, pos),
    CONSTRAINT events_stream UNIQUE (region, originator_id, originator_version)
);

-- What a command led to, so that its repetition gets the first answer.
CREATE TABLE command_result (
    command_id  uuid        CONSTRAINT command_once PRIMARY KEY,
    fingerprint bytea       NOT NULL, -- keyed hash of the command: the same id must mean the same
    region      text        NOT NULL,
    incident_id uuid        NOT NULL,
    version     integer     NOT NULL, -- of the incident, after the command
    pos         bigint      NOT NULL, -- of the command's last event
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One message of one channel becomes one incident.
CREATE TABLE message_key (
    channel     text NOT NULL,
    external_id text NOT NULL, -- the message's own id on its channel
    region      text NOT NULL,
    incident_id uuid NOT NULL,
    CONSTRAINT message_once PRIMARY KEY (channel, external_id)
);

-- Keys of the people whose data the events hold sealed. Never replicated; deleting one erases.
CREATE TABLE subject_key (
    subject uuid  PRIMARY KEY,
    region  text  NOT NULL,
    wrapped bytea NOT NULL -- nonce and AES key, sealed with the node's vault key
);

-- Rows of imports that could not become incidents, kept with the reason.
CREATE TABLE import_quarantine (
    source      text        NOT NULL, -- the format the row came in
    row_key     text        NOT NULL, -- the row's own id in that source
    reason      text        NOT NULL, -- code of the refusal
    detail      text        NOT NULL, -- the refusal in words; holds no personal data
    subject     uuid        NOT NULL, -- whose key seals the row
    sealed_row  bytea       NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, row_key)
);

-- Which catalogue this database belongs to, and which vault key its personal data.
CREATE TABLE node (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    catalogue  text    NOT NULL,
    vault_mark bytea                     -- keyed hash, made with the first vault key that came
);
