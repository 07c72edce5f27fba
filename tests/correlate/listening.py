"""A process that goes on taking in events: for each second and address it is told, an event, it tells the hits."""

import io
import sys
from pathlib import Path

from tests.correlate.parts import IDS, SURICATA, alert, eve, open_parts


def main(folder: Path) -> None:
    parts = open_parts(folder)
    parts.correlation.index.refresh()
    print("ready", flush=True)
    for line in sys.stdin:
        second, address = line.split()
        log = eve([alert(address, second=int(second))])
        print(parts.correlation.events.run(io.BytesIO(log), SURICATA, IDS).hits, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
