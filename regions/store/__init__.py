"""The database: where PostgreSQL comes from, its schema and roles, events and keys in it."""
