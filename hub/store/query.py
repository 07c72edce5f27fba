"""The search tree: parsed once from Lucene syntax, compiled by each engine."""

from __future__ import annotations


class Node:
    """A node of the search tree."""
