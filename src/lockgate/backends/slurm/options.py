"""The table `[batch.slurm]`: what a lead may choose of Slurm. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each is passed to sbatch's option of the same name; see sbatch(1)."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    nodelist: str | None = None
    exclude: str | None = None
    extra: tuple[str, ...] = ()
    """Further words for sbatch, one option a word."""


#: Options of sbatch that would take a job out of Lockgate's sight, or of its hands, and what to do instead.
_OURS = {
    "array": "a stage's matrix becomes an array by itself",
    "batch": "Lockgate hands over its own script",
    "chdir": "a job runs in its own folder",
    "clusters": "set SLURM_CONF for the hub to the other cluster's file instead",
    "cluster": "set SLURM_CONF for the hub to the other cluster's file instead",
    "dependency": "Lockgate starts a stage once its needs are there",
    "error": "what a job prints is in its output.log",
    "export": "a job's environment is laid out by Lockgate",
    "export-file": "a job's environment is laid out by Lockgate",
    "help": "it starts no job",
    "input": "a job reads its needs and nothing else",
    "job-name": "Lockgate finds its jobs by their names",
    "kill-on-invalid-dep": "Lockgate starts a stage once its needs are there",
    "open-mode": "what a job prints is in its output.log",
    "output": "what a job prints is in its output.log",
    "parsable": "Lockgate says it already",
    "quiet": "Lockgate reads what sbatch says",
    "requeue": "Lockgate itself starts a job again, once",
    "test-only": "it starts no job",
    "time": "say `walltime` of the stage instead",
    "time-min": "say `walltime` of the stage instead",
    "uid": "a job runs as the hub's owner",
    "usage": "it starts no job",
    "version": "it starts no job",
    "wait": "Lockgate waits by itself",
    "wrap": "Lockgate hands over its own script",
}
_SHORT = {
    "a": "array",
    "d": "dependency",
    "D": "chdir",
    "e": "error",
    "h": "help",
    "i": "input",
    "J": "job-name",
    "M": "clusters",
    "o": "output",
    "Q": "quiet",
    "t": "time",
    "V": "version",
    "W": "wait",
}
_OPTION = re.compile(r"--([a-z][a-z0-9-]*)(=.*)?|-([A-Za-z])(.*)", re.DOTALL)
_GRES_COUNT = re.compile(r":\d+[kKmMgGtTpP]?(\(.*\))?")


def read_options(table: Mapping[str, object]) -> Options | str:
    """Return the options, or in words what is wrong with the table."""
    known = [field.name for field in msgspec.structs.fields(Options)]
    unknown = sorted(set(table) - set(known))
    if unknown:
        return f"[batch.slurm] has no key {unknown[0]!r}; known are {', '.join(known)}"
    try:
        options = msgspec.convert(dict(table), Options)
    except msgspec.ValidationError:
        wrong = next(name for name in known if name in table and not _is_right(name, table[name]))
        should = "a list of words" if wrong == "extra" else "a text"
        return f"[batch.slurm] {wrong} must be {should}, not {table[wrong]!r}"
    return _problem(options) or options


def generic_resources(options: Options, gpus: int) -> str:
    """Return what `--gres` is to be: the lead's, with the gpus that the stage asks for.

    `gpu` or `gpu:TYPE` without a count takes the stage's; see sbatch(1), `--gres`.
    """
    words, has_gpu = [], False
    for word in (options.gres or "").split(","):
        is_gpu = word == "gpu" or word.startswith("gpu:")
        has_gpu = has_gpu or is_gpu
        if is_gpu and not _GRES_COUNT.search(word):
            word = f"{word}:{gpus}" if gpus else ""
        words.append(word)
    if gpus and not has_gpu:
        words.append(f"gpu:{gpus}")
    return ",".join(word for word in words if word)


def _is_right(name: str, value: object) -> bool:
    if name == "extra":
        return isinstance(value, list) and all(isinstance(word, str) for word in value)
    return isinstance(value, str)


def _problem(options: Options) -> str | None:
    for name, value in msgspec.structs.asdict(options).items():
        for text in value if isinstance(value, tuple) else (value,):
            if text is not None and (not text or not text.isprintable()):
                return f"[batch.slurm] {name} holds {text!r}, which is empty or no plain text"
    for word in options.extra:
        found = _OPTION.fullmatch(word)
        if found is None:
            return (
                f"[batch.slurm] extra holds {word!r}, which is no option of sbatch: "
                'write an option and its value as one word, like "--comment=weekly"'
            )
        name = found[1] or _SHORT.get(found[3], "")
        taken = [
            ours for ours in _OURS if ours == name or (found[1] and len(name) > 2 and ours.startswith(name))
        ]
        if taken:
            return f"[batch.slurm] extra holds {word!r}, which Lockgate cannot let through: {_OURS[taken[0]]}"
    return None
