-- What the objects of a search are counted by (hub.store.facets): those tokens, with blanks between. The index of words
-- keeps no text and cannot be asked what one object holds; of what is there already it is read off from behind, once.
ALTER TABLE changes ADD COLUMN facets TEXT NOT NULL DEFAULT '';
CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'words', 'instance');
CREATE TEMP TABLE counted (position INTEGER NOT NULL, token TEXT NOT NULL);
INSERT INTO counted SELECT doc, term FROM temp.vocabulary WHERE term >= 'kind=' AND term < 'kind>';
INSERT INTO counted SELECT doc, term FROM temp.vocabulary WHERE term >= 'label=' AND term < 'label>';
INSERT INTO counted SELECT doc, term FROM temp.vocabulary WHERE term >= 'category=' AND term < 'category>';
INSERT INTO counted SELECT doc, term FROM temp.vocabulary WHERE term >= 'phase=' AND term < 'phase>';
INSERT INTO counted SELECT doc, term FROM temp.vocabulary WHERE term >= 'warning=' AND term < 'warning>';
UPDATE changes SET facets = found.tokens
    FROM (SELECT position, group_concat(token, ' ') AS tokens FROM counted GROUP BY position) AS found
    WHERE changes.position = found.position AND changes.state = 1;
DROP TABLE temp.counted;
DROP TABLE temp.vocabulary;
