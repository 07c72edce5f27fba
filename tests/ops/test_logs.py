"""What gets into the logs, and what never does."""

import pytest

from hub.ops.logs import redact, redact_event


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer cth_abcdefghijklmnop_0123456789", "0123456789"),
        ("Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("GET https://user:hunter2@example.com/x", "hunter2"),
        ("/objects/?limit=1&api_key=s3cr3t&x=1", "s3cr3t"),
        ("the token cth_abcdefghijklmnop_abcdefgh was sent", "abcdefgh"),
    ],
)
def test_secrets_are_taken_out_of_texts(text: str, secret: str) -> None:
    assert secret not in redact(text)


def test_a_line_stays_one_line() -> None:
    assert redact("name\n2026-01-01 level=error forged\x1b[31m") == "name\\x0a2026-01-01 level=error forged\\x1b[31m"


def test_values_are_redacted_by_the_name_of_their_key() -> None:
    event = {"event": "signed in", "password": "hunter2", "api_token": "t", "user": "maria"}
    assert redact_event(None, "info", event) == {
        "event": "signed in",
        "password": "[redacted]",
        "api_token": "[redacted]",
        "user": "maria",
    }
