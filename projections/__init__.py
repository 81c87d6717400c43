"""The read models: events become tables, tables become views."""
