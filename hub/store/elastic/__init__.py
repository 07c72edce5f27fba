"""The Elasticsearch engine of the store (docs/decisions/0011-elasticsearch.md)."""
