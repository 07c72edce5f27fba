"""Every requirement has a test that names it, and the manual's table says what there is."""

from __future__ import annotations

from tests.taxii.requirements import PAGE, groups, marked


def test_every_requirement_has_a_test_and_every_mark_is_a_requirement() -> None:
    assert {row.number for rows in groups().values() for row in rows} == set(marked())


def test_the_manual_shows_every_requirement_with_its_tests_and_all_pass() -> None:
    tests = marked()
    shown = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    found = {row[0]: row for row in shown if row[0][1:].isdigit()}
    for rows in groups().values():
        for row in rows:
            number, level, section, text, *results, names = found.pop(row.number)
            assert (number, level, section, text) == tuple(row)
            assert names == ", ".join(f"`{name}`" for name in tests[number]), f"{number}: run `make requirements`"
            assert results == (["-", "passes"] if row.number.startswith("P") else ["passes", "passes"]), number
    assert not found
