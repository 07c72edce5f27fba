-- Live versions that end, by when: what is to be taken back because its time is over is found without a look at the rest.
CREATE INDEX endings ON changes (valid_until) WHERE state = 1 AND superseded < 4 AND revoked = 0 AND valid_until IS NOT NULL;
