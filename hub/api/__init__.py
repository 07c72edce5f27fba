"""The JSON API: what the console and programs do that are no TAXII clients. One file for each resource."""
