-- Interned texts: append-only, numbered 1, 2, 3 … without gaps.
CREATE TABLE audiences (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE collections (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE sensors (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);

-- The change log. Rows are never deleted, so positions have no gaps; date_added rises with them.
-- state: 1 a live version, 0 a removed version (body blank), 2 the note of a removal.
-- superseded, a sum of: 1 the collection has a newer version of the object, of the same specification version; 2 it has one
-- of a newer specification version; 4 one as in 1 has the very same audience, so that no reader of this row can fail to see
-- the newer one. Without 1 or 2 a row needs no look at its neighbours; with 4 it is the latest for nobody.
CREATE TABLE changes (
    position INTEGER PRIMARY KEY,
    date_added INTEGER NOT NULL,
    state INTEGER NOT NULL,
    collection INTEGER NOT NULL,
    audience INTEGER NOT NULL,
    superseded INTEGER NOT NULL,
    type TEXT NOT NULL,
    id TEXT NOT NULL,
    spec_version TEXT NOT NULL,
    version INTEGER,
    version_text TEXT NOT NULL,
    source TEXT NOT NULL,
    matchable INTEGER NOT NULL,
    created INTEGER,
    valid_until INTEGER,
    revoked INTEGER NOT NULL,
    confidence INTEGER,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX identity ON changes (id, collection, spec_version, version) WHERE state = 1;
CREATE UNIQUE INDEX dates ON changes (date_added);
-- A page reads `latest`; other than last versions are in `older`. The audience is there to skip rows unread.
CREATE INDEX latest ON changes (collection, position, audience) WHERE state = 1 AND superseded < 4;
CREATE INDEX latest_of_type ON changes (collection, type, position, audience) WHERE state = 1 AND superseded < 4;
CREATE INDEX older ON changes (collection, position, audience) WHERE state = 1 AND superseded >= 4;
CREATE INDEX older_specification ON changes (collection, position, audience) WHERE state = 1 AND spec_version < '2.1';

-- What upgraded objects were made from.
CREATE TABLE originals (position INTEGER PRIMARY KEY, body BLOB NOT NULL);

-- What objects are found by; index_key is hub.model.observables.index_key of the canonical key.
CREATE TABLE observables (
    index_key TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (index_key, position)
) WITHOUT ROWID;
CREATE TABLE matchables (
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (position, key)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (
    tokens, content='', detail=none, columnsize=0,
    tokenize="ascii tokenchars '!#$%&()*+,-./:;<=>?@[\]^_`{|}~'''''"
);

CREATE TABLE ledger (
    index_key TEXT NOT NULL,
    sensor INTEGER NOT NULL,
    day INTEGER NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (index_key, sensor, day)
) WITHOUT ROWID;
CREATE TABLE events (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE samples (
    index_key TEXT NOT NULL,
    sensor INTEGER NOT NULL,
    day INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (index_key, sensor, day, slot)
) WITHOUT ROWID;

-- Versions of control documents are drawn from one counter, so they rise across deletes without tombstones.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires INTEGER,
    PRIMARY KEY (kind, key)
);
CREATE INDEX expiring ON documents (expires) WHERE expires IS NOT NULL;
CREATE TABLE document_writes (number INTEGER NOT NULL);
INSERT INTO document_writes VALUES (0);
