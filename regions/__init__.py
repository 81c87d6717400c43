"""The centres: catalogue, event store, keys, settings. One per region, many in one database."""
