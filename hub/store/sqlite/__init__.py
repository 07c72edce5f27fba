"""The SQLite engine: one file, several processes. The only place that knows SQLite."""
