"""Organisations, users, tokens and what each account may do."""
