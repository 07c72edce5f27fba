"""Everything that is kept: one contract (`ports`), one folder per engine. No SQL and no engine query leaves here."""
