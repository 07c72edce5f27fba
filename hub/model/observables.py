"""Observables: values that can be seen (addresses, names, URLs, hashes, …) in one canonical spelling each.

This is the front door; the parts behind it are `canonical` (the forms), `defang`, `recognition` (what a text is),
`ranges` (what lies above and below) and `objects` (what a STIX object states).
"""

from hub.model.canonical import NotObservable, Observable, canonical
from hub.model.defang import defang, refang
from hub.model.objects import of_object
from hub.model.ranges import ancestors, index_key, key_of, span
from hub.model.recognition import recognise, recognise_all

__all__ = [
    "NotObservable",
    "Observable",
    "ancestors",
    "canonical",
    "defang",
    "index_key",
    "key_of",
    "of_object",
    "recognise",
    "recognise_all",
    "refang",
    "span",
]
