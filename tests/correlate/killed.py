"""A process to be killed: reads logs in tiny commits and works off the marks, saying so after each step."""

import sys
from pathlib import Path

from tests.correlate.parts import CONFERENCE_LOG, HONEYPOT, HONEYPOT_LOG, IDS, SURICATA, ipsum, open_parts


def main(folder: Path) -> None:
    parts = open_parts(folder, slice_size=5)

    def step(_: int = 0) -> None:
        print("step", flush=True)
        parts.correlation.settle(force=True)
        print("step", flush=True)

    step()
    for log, sensor in ((HONEYPOT_LOG, HONEYPOT), (CONFERENCE_LOG, IDS)):
        parts.correlation.events.run(log, SURICATA, sensor, progress=step)
    parts.feed(ipsum())
    step()
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
