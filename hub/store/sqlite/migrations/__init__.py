"""Numbered SQL migrations of the SQLite store, applied in order of their names; never changed once released."""
