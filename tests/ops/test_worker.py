"""The background work goes on, whatever one job does."""

import threading

from structlog.testing import capture_logs

from hub.errors import SourceUnreachable
from hub.ops.worker import Job, run_jobs


def test_a_failing_job_is_postponed_and_the_others_run() -> None:
    stop = threading.Event()
    moments = iter(range(0, 10**12, 1_000_000))
    ran: list[str] = []

    def fails() -> bool:
        ran.append("fails")
        raise SourceUnreachable("nobody there")

    def breaks() -> bool:
        ran.append("breaks")
        raise ZeroDivisionError

    def works() -> bool:
        ran.append("works")
        if ran.count("works") == 20:
            stop.set()
        return True

    jobs = [Job("fails", 1_000_000, fails), Job("breaks", 1_000_000, breaks), Job("works", 1_000_000, works)]
    with capture_logs() as logs:
        run_jobs(jobs, stop, clock=lambda: next(moments))
    assert ran.count("works") == 20
    assert 1 < ran.count("fails") < 20
    assert {line["job"] for line in logs} == {"fails", "breaks"}
    assert jobs[0].failures == ran.count("fails")
