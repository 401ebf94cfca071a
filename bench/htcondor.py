"""What a job costs on HTCondor, over `condor_submit` and `condor_wait` of the same command.

Run: python bench/htcondor.py [rounds]   (as root: it starts a pool of its own)
Prints the median seconds of one job of a second by each way, in turns, and their ratio, which is to stay at
or below 1.2: sharing files, and carrying them beside a bare job that carries the same.
"""

from __future__ import annotations

import os
import random
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "services"))
sys.path.insert(1, str(Path(__file__).parents[1] / "src"))
# Beside this file, which has the name of a library.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

from htcondor_pool import pool_for_tests  # noqa: E402
from ordinary_user import job_folder  # noqa: E402

from lockgate.backends.batch import BatchBackend  # noqa: E402
from lockgate.backends.contract import Ended  # noqa: E402
from lockgate.backends.htcondor.system import HTCondorSystem  # noqa: E402
from lockgate.project.pipeline import Resources  # noqa: E402
from lockgate.runs.job import Job  # noqa: E402
from lockgate.runs.jobscript import base_environment, job_script  # noqa: E402
from lockgate.runs.workspace import lay_out  # noqa: E402

COMMAND = "sleep 1"
CYCLE_S = 3.0
_BARE = """\
executable = /bin/sh
transfer_executable = false
arguments = job.sh
initialdir = {folder}
log = {folder}/log
should_transfer_files = {carries}
{more}queue
"""
_CARRIED = (
    "transfer_input_files = job.sh\nwhen_to_transfer_output = ON_EXIT\noutput = out\nstream_output = true\n"
)


def bare(folder: Path, *, is_carried: bool) -> float:
    folder.mkdir()
    (folder / "job.sh").write_text(f"{COMMAND}\n")
    carries, more = ("YES", _CARRIED) if is_carried else ("NO", "")
    (folder / "job.sub").write_text(_BARE.format(folder=folder, carries=carries, more=more))
    began = time.monotonic()
    subprocess.run(["condor_submit", "-terse", folder / "job.sub"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["condor_wait", folder / "log"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def ours(folder: Path, *, is_carried: bool) -> float:
    variables, inside = base_environment(run="01RUN", stage="s", cpus=1, source_date_epoch=1)
    lay_out(folder, job_script(COMMAND, variables, from_folder=inside), ())
    options: dict[str, object] = {"transfer": True} if is_carried else {}
    job = Job("01RUN", "s", os.fspath(folder), Resources(), options)
    backend = BatchBackend(HTCondorSystem("commands"))
    began = time.monotonic()
    backend.submit([job])
    news: list[object] = []
    while not any(isinstance(each, Ended) for each in news):
        news += backend.poll()
        select.select(backend.wake_fds(), [], [], min(0.5, backend.poll_interval_s() or 0.0))
        assert time.monotonic() - began < 120
    took = time.monotonic() - began
    backend.close()
    assert all(each.exit.is_success for each in news if isinstance(each, Ended)), news
    return took


def anywhen() -> None:
    """Wait for no particular moment of the negotiator's cycle: of two jobs, one right after the other, the
    second would always wait for the same part of it."""
    time.sleep(random.uniform(0, CYCLE_S))


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    is_met = True
    with pool_for_tests(), job_folder() as scratch:
        for is_carried in (False, True):
            pairs = []
            for number in range(rounds + 1):
                name = f"{'c' if is_carried else 's'}{number}"
                anywhen()
                floor = bare(scratch / f"bare-{name}", is_carried=is_carried)
                anywhen()
                pairs.append((floor, ours(scratch / f"ours-{name}", is_carried=is_carried)))
            del pairs[0]
            floor, mine = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = mine / floor
            is_met = is_met and ratio <= 1.2
            how = "carrying files" if is_carried else "sharing files"
            print(f"{how}: condor_submit + condor_wait {floor:.2f} s, ours {mine:.2f} s, ratio {ratio:.2f}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
