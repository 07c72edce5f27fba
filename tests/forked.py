"""The `threathub` command as a process that has read the program's modules already, because it is forked from one.

Reading them is most of what a command takes. Each command still is a process with arguments, environment, folder,
output and exit status of its own. Run as a program, this file is the process that is forked.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LONGEST = 1 << 20


def run(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Raises:
        TimeoutError: it took longer; it is killed.
    """
    channel = _forker(os.getpid())
    asked = json.dumps({"words": list(words), "cwd": str(cwd), "env": dict(env)}).encode()
    assert len(asked) < _LONGEST
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        socket.send_fds(channel, [asked], [out.fileno(), err.fileno()])
        pid = int(channel.recv(_LONGEST))
        channel.settimeout(timeout)
        try:
            status = int(channel.recv(_LONGEST))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            channel.settimeout(None)
            channel.recv(_LONGEST)
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, status, out.read(), err.read())


@cache
def _forker(_process: int) -> socket.socket:
    """Start the process that is forked; it ends when this one does."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(there.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[there.fileno()],
            start_new_session=True,
        )
    atexit.register(_end, here, process)
    return here


def _end(channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
    channel.close()
    process.wait(10)


def _serve(channel: socket.socket) -> None:
    import gc

    import hub.app
    import hub.cli.main
    import hub.store.elastic.engine
    import hub.store.sqlite.engine  # noqa: F401 - what commands read when they open a hub

    # Else each child copies all of it when it ends.
    gc.collect()
    gc.freeze()
    while True:
        asked, streams, _, _ = socket.recv_fds(channel, _LONGEST, 2)
        if not asked:
            return
        if (pid := os.fork()) == 0:
            channel.close()
            _become(json.loads(asked), streams)
        for stream in streams:
            os.close(stream)
        channel.send(b"%d" % pid)
        channel.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _become(asked: dict[str, object], streams: list[int]) -> None:
    """Be the command, in a child process."""
    from hub.cli.main import main

    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["env"])  # type: ignore[call-overload]
    os.chdir(str(asked["cwd"]))
    sys.argv = ["threathub", *asked["words"]]  # type: ignore[misc]
    main()
    sys.exit(0)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as own:
        _serve(own)
