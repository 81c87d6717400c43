-- Who was refused what, and who opened whose personal data. No event: it changes no incident.
CREATE TABLE access_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    region      text        NOT NULL,
    actor       text        NOT NULL,
    role        text        NOT NULL,
    action      text        NOT NULL, -- name of the command, or of the one whose text was opened
    incident_id uuid,                 -- null for a registration that was refused
    outcome     text        NOT NULL CHECK (outcome IN ('REFUSED', 'OPENED'))
);
CREATE INDEX access_log_by_incident ON access_log (incident_id, at);
CREATE INDEX access_log_by_region ON access_log (region, at);
