-- How often a client's operations asked for a field of the API, for whoever wants to remove it.
CREATE TABLE field_usage (
    day        date   NOT NULL,          -- in UTC
    client     text   NOT NULL,          -- as it names itself
    field      text   NOT NULL,          -- Type.field
    operations bigint NOT NULL,
    PRIMARY KEY (field, client, day)
);
CREATE INDEX field_usage_by_age ON field_usage (day);
