"""Slurm's commands, run with bounded time-outs and in one language."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from lockgate.backends.slurm.refusals import failure
from lockgate.errors import OutsideError

#: Longer than a busy controller takes by its own rules: MessageTimeout (10 s) and some repeats.
_TIMEOUT_S = 90.0
#: Variables of Slurm's that say where it is, and whose account is used; others change what commands
#: answer, or come from a job that the hub itself was started in.
_KEPT = {
    "SLURM_CONF",
    "SLURM_CONF_SERVER",
    "SLURM_JWT",
    "SBATCH_ACCOUNT",
    "SBATCH_PARTITION",
    "SBATCH_QOS",
    "SBATCH_RESERVATION",
    "SBATCH_CONSTRAINT",
}
_THEIRS = ("SLURM", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SINFO_", "SALLOC_", "SRUN_")


def run(words: Sequence[str], *, may_say: Sequence[str] = ()) -> str:
    """Run a command of Slurm's and return what it answers.

    A failure in which one of `may_say` is read counts as an empty answer. Raises what `refusals.failure`
    makes of any other, and `OutsideError` (`slurm-missing`, `slurm-unreachable`) where the program is not
    there or does not come back.
    """
    program = words[0]
    try:
        done = subprocess.run(
            list(words),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise OutsideError(
            f"there is no {program} on this host",
            "Install Slurm's commands beside the hub (Debian: slurm-client), or put them on the hub's PATH.",
            code="slurm-missing",
        ) from None
    except OSError as error:
        raise OutsideError(
            f"{program} cannot be started: {error.strerror}",
            "Make room on the hub's host; it is tried again.",
            code="slurm-missing",
            is_transient=True,
        ) from None
    except subprocess.TimeoutExpired:
        raise OutsideError(
            f"Slurm's controller does not answer: {program} took longer than {_TIMEOUT_S:.0f} s",
            "Jobs that run go on, and it is asked again. If it stays so, `scontrol ping` tells more.",
            code="slurm-unreachable",
            is_transient=True,
        ) from None
    said = done.stderr.decode("utf-8", "replace")
    answer = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode == 0:
        return answer
    if any(sign in said for sign in may_say):
        return answer
    raise failure(program, done.returncode, said)


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name in _KEPT or not name.startswith(_THEIRS)}
    return kept | {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}
