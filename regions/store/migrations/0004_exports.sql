-- Tables that viewers asked for as files. Nothing here is a record: what is lost is asked for anew.
CREATE TABLE export (
    id          uuid PRIMARY KEY,        -- a UUIDv7
    command_id  uuid        NOT NULL,    -- of the viewer: asked for twice it is one
    asked_by    text        NOT NULL,    -- name of the viewer
    role        text        NOT NULL,
    scope       jsonb       NOT NULL,    -- what the viewer saw when they asked
    question    jsonb       NOT NULL,    -- what is in it: projections/views/tables.py
    format      text        NOT NULL CHECK (format IN ('CSV', 'XLSX', 'PARQUET')),
    state       text        NOT NULL DEFAULT 'WAITING'
                CHECK (state IN ('WAITING', 'RUNNING', 'READY', 'FAILED')),
    attempts    integer     NOT NULL DEFAULT 0,
    rows_done   bigint      NOT NULL DEFAULT 0,
    rows_total  bigint,                  -- null: not counted yet
    error       text,                    -- kind of the last error
    told        jsonb,                   -- of when and by what it tells; null until it is ready
    size_bytes  bigint,                  -- of the file; null until it is ready
    sha256      text,                    -- the same
    asked_at    timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT export_once UNIQUE (command_id)
);
CREATE INDEX export_by_viewer ON export (asked_by, asked_at DESC);
CREATE INDEX export_by_expiry ON export (expires_at);
CREATE INDEX export_running ON export (changed_at) WHERE state = 'RUNNING';

-- The file of an export in pieces, so that nobody needs to hold it whole.
CREATE TABLE export_part (
    export uuid    NOT NULL REFERENCES export ON DELETE CASCADE,
    number integer NOT NULL,             -- 0, 1, 2 …
    bytes  bytea   NOT NULL CHECK (octet_length(bytes) <= 1024 * 1024),
    PRIMARY KEY (export, number)
);
