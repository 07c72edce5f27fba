"""The gate that every incoming object passes: limits, schema, canonical form, warning lists, provenance, quarantine."""
