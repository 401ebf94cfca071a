"""Slurm's commands, run with bounded time-outs and in one language."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lockgate.backends import programs
from lockgate.backends.slurm.refusals import failure

#: Longer than a busy controller takes by its own rules: MessageTimeout (10 s) and some repeats.
_TIMEOUT_S = 90.0
_WAY_OUT = programs.WayOut(
    missing_code="slurm-missing",
    unreachable_code="slurm-unreachable",
    install="Install Slurm's commands beside the hub (Debian: slurm-client), or put them on the hub's PATH.",
    wait="Jobs that run go on, and Slurm is asked again. If it stays so, `scontrol ping` tells more.",
)
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
    said = programs.run(words, environment=_environment(), timeout_s=_TIMEOUT_S, way_out=_WAY_OUT)
    if said.code == 0 or any(sign in said.errors for sign in may_say):
        return said.content.decode("utf-8", "surrogateescape")
    raise failure(words[0], said.code, said.errors)


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name in _KEPT or not name.startswith(_THEIRS)}
    return kept | {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s", "SLURM_BITSTR_LEN": "0"}
