"""What Slurm's commands say when they fail: who has to do what about it. Pure.

Sources: src/common/slurm_errno.c of Slurm 20.02 to 26.05, and real answers.
"""

from __future__ import annotations

from lockgate.errors import LockgateError, OutsideError, UserError

#: Nobody's fault but time's: the same call may do later.
_DOWN = (
    "Unable to contact slurm controller",
    "Communication connection failure",
    "Communication shutdown failure",
    "Connection refused",
    "Connection timed out",
    "Connection forced closed",
    "Connection rejected by handler",
    "Could not establish a configuration source",
    "Controller is in standby mode",
    "Message receive failure",
    "Message send failure",
    "Insane message length",
    "No route to host",
    "Slurm backup controller in standby mode",
    "Socket timed out on send/recv operation",
    "Transport endpoint is not connected",
    "Unable to establish controller machine",
    "Unexpected message received",
    "Unexpected missing socket error",
    "Zero Bytes were transmitted or received",
)
_DATABASE_DOWN = (
    "Unable to connect to database",
    "Problem talking to the database",
    "slurm_persist_conn_open",
    "Database connection reference is invalid",
    "Sending PersistInit msg",
)
_MUNGE_DOWN = (
    "Munge encode failed",
    "Munge decode failed",
    "Protocol authentication error",
    "Invalid authentication credential",
    "Authentication credential expired",
    "Authentication failure",
    "Failed to access munge",
    "authentication: ",
)
_FULL = (
    "MaxJobCount limit reached",
    "Slurm temporarily unable to accept job",
    "Resource temporarily unavailable",
    "Rate limit exceeded",
    "I/O error writing script/environment to file",
)
#: Codes of limits on how many jobs there may be at a time: fewer of them would be taken.
_TOO_MANY = ("MaxSubmitJob", "GrpSubmitJob")

#: What the lead can change about a refusal, by Slurm's words.
_HINTS = (
    (
        "account",
        "Correct `account` in [batch.slurm] of lockgate.toml; `sacctmgr show assoc user=$USER` lists yours.",
    ),
    ("partition", "Correct `partition` in [batch.slurm] of lockgate.toml; `sinfo` lists what there is."),
    ("qos", "Correct `qos` in [batch.slurm] of lockgate.toml; `sacctmgr show qos` lists what there is."),
    (
        "time limit",
        "Say a shorter `walltime` of the stage, or a `partition` in [batch.slurm] that allows it.",
    ),
    ("time-min", "Say a shorter `walltime` of the stage, or a `partition` in [batch.slurm] that allows it."),
    (
        "generic resource",
        "Correct `gres` in [batch.slurm] or `gpus` of the stage; `sinfo -o '%P %G'` lists what there is.",
    ),
    (
        "gres",
        "Correct `gres` in [batch.slurm] or `gpus` of the stage; `sinfo -o '%P %G'` lists what there is.",
    ),
    (
        "feature",
        "Correct `constraint` in [batch.slurm] of lockgate.toml; `sinfo -o '%P %f'` lists what there is.",
    ),
    (
        "reservation",
        "Correct `reservation` in [batch.slurm] of lockgate.toml; `scontrol show reservation` lists them.",
    ),
    (
        "node name",
        "Correct `nodelist` or `exclude` in [batch.slurm] of lockgate.toml; `sinfo -N` lists the nodes.",
    ),
    (
        "license",
        "Correct `--licenses` in `extra` of [batch.slurm]; `scontrol show licenses` lists what there is.",
    ),
    ("memory", "Lower the stage's `memory`, or choose a `partition` in [batch.slurm] with larger nodes."),
    (
        "node configuration",
        "Lower the stage's `cpus`, `memory` or `gpus`, or choose a `partition` with larger nodes.",
    ),
    (
        "node count",
        "Lower the stage's `cpus`, `memory` or `gpus`, or choose another `partition` in [batch.slurm].",
    ),
    ("cpu", "Lower the stage's `cpus`, or choose a `partition` in [batch.slurm] with larger nodes."),
    (
        "unrecognized option",
        "Correct `extra` in [batch.slurm] of lockgate.toml; `man sbatch` lists the options.",
    ),
    ("invalid option", "Correct `extra` in [batch.slurm] of lockgate.toml; `man sbatch` lists the options."),
    ("array", "Make the stage's matrix smaller, or ask for a larger MaxArraySize in slurm.conf."),
)
_PREFIXES = ("sbatch: ", "squeue: ", "sacct: ", "scancel: ", "scontrol: ", "sinfo: ", "error: ", "fatal: ")


class TooManyError(OutsideError):
    """Slurm takes no more jobs of this user now."""


def failure(program: str, code: int, said: str) -> LockgateError:
    """Return the error that a failed command means, by what it said on standard error."""
    words = _plain(said)
    shown = "; ".join(dict.fromkeys(words)) or f"{program} failed with exit code {code} and said nothing"
    if _has(said, _MUNGE_DOWN) and "Invalid account" not in said:
        return OutsideError(
            f"Slurm's authentication (munge) does not work on this host: {shown}",
            "See that munged runs here and on the controller, with one key and one time.",
            code="slurm-unreachable",
            is_transient=True,
        )
    if _has(said, _DATABASE_DOWN):
        return OutsideError(
            f"Slurm's accounting (slurmdbd) does not answer: {shown}",
            "Nothing is lost: it is asked again. If it stays so, ask the cluster's administrators.",
            code="slurm-unreachable",
            is_transient=True,
        )
    if _has(said, _DOWN):
        return OutsideError(
            f"Slurm's controller does not answer: {_last(words) or shown}",
            "Jobs that run go on, and it is asked again. If it stays so, `scontrol ping` tells more.",
            code="slurm-unreachable",
            is_transient=True,
        )
    if program == "sbatch" and _has(said, _TOO_MANY):
        return TooManyError(
            f"Slurm takes no more jobs of this user now: {shown}",
            "The rest is submitted as others end.",
            code="slurm-full",
            is_transient=True,
        )
    if _has(said, _FULL):
        return OutsideError(
            f"Slurm takes no more jobs now: {shown}",
            "They are submitted once it does.",
            code="slurm-full",
            is_transient=True,
        )
    if program == "sbatch":
        return UserError(f"Slurm refuses it: {shown}", _hint(said), code="slurm-refused")
    return OutsideError(
        f"{program} failed: {shown}",
        f"Try `{program}` by hand as the hub's owner on the hub's host.",
        code="slurm-answer",
        is_transient=True,
    )


def _has(said: str, signs: tuple[str, ...]) -> bool:
    return any(sign in said for sign in signs)


def _plain(said: str) -> list[str]:
    """Return the lines of a message without the programs' names in front."""
    lines = []
    for line in said.splitlines():
        text = " ".join(line.split())
        while any(text.startswith(prefix) for prefix in _PREFIXES):
            text = text.partition(": ")[2]
        if text and not text.startswith("Try "):
            lines.append(text.removeprefix("Batch job submission failed: "))
    return lines


def _last(words: list[str]) -> str:
    return words[-1] if words else ""


def _hint(said: str) -> str:
    low = said.lower()
    for sign, hint in _HINTS:
        if sign in low:
            return hint
    return "Change what it names in [batch.slurm] of lockgate.toml, or in the stage's resources."
