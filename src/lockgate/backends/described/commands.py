"""The commands of a described batch system, with everything filled in. Pure.

A template is split into words first and filled in afterwards: no value, whatever is in it, becomes two words
or another option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lockgate.project.described import (
    OF_MEMORY,
    OF_WALLTIME,
    PIECES,
    PLACEHOLDER,
    Description,
    words_of,
)
from lockgate.project.pipeline import Resources

Argv = list[str]

#: What the ids of one call may be long together; Linux takes 128 KiB in one word, more in all.
_IDS_AT_MOST = 100_000


def submission(
    described: Description,
    asked: Resources,
    *,
    name: str,
    script: str,
    folder: str,
    count: int | None = None,
) -> Argv:
    """Return the command that submits one job, or `count` jobs as an array."""
    template = described.submit
    values = {"name": name, "script": script, "folder": folder, **_resource_values(asked)}
    if count is not None and described.array is not None:
        template, first = described.array.submit, described.array.first
        values |= {"first": str(first), "last": str(first + count - 1), "count": str(count)}
    pieces = {
        "with_memory": described.piece("with_memory") if asked.memory_bytes is not None else "",
        "with_walltime": described.piece("with_walltime") if asked.walltime_s is not None else "",
        "with_gpus": described.piece("with_gpus") if asked.gpus else "",
    }
    for _ in PIECES:
        template = PLACEHOLDER.sub(lambda found: pieces.get(found[1], found[0]), template)
    return [_filled(word, values) for word in words_of(template)]


def lacking(described: Description, asked: Resources) -> str | None:
    """Return in words why no submission of these resources can be written, or None."""
    where = f"[batch.{described.name}]"
    for value, words, piece, what in (
        (asked.memory_bytes, OF_MEMORY, "with_memory", "memory"),
        (asked.walltime_s, OF_WALLTIME, "with_walltime", "walltime"),
    ):
        commands = [described.submit, described.array.submit if described.array else ""]
        used = [word for text in commands for word in PLACEHOLDER.findall(text) if word in words]
        if value is None and used:
            return (
                f"says no {what}, and {where} writes {{{used[0]}}} into every submission: "
                f"give the stage a {what}, or move that part to {piece}"
            )
    if asked.gpus and not described.uses(("gpus",)):
        return (
            f"asks for {asked.gpus} gpus; {where} does not say how its queue is asked for them: add with_gpus"
        )
    return None


def status(described: Description, native_ids: Sequence[str]) -> Iterator[Argv]:
    """Yield the commands that tell the state of these jobs: one, but for thousands of long ids."""
    return _about_all(described.status, "ids", native_ids, described.separator)


def cancel(described: Description, native_ids: Sequence[str]) -> Iterator[Argv]:
    """Yield the commands that end these jobs: one where the system takes many ids, else one a job."""
    if "{id}" in described.cancel:
        words = words_of(described.cancel)
        for native_id in native_ids:
            yield [_filled(word, {"id": native_id}) for word in words]
    else:
        yield from _about_all(described.cancel, "ids", native_ids, described.separator)


def find(described: Description, names: Sequence[str]) -> Iterator[Argv]:
    """Yield the commands that list the jobs of these names; none where the system cannot be asked so."""
    if described.find is not None:
        yield from _about_all(described.find, "names", names, described.separator)
    elif "{ids}" not in described.status and "(?P<name>" in described.line:
        yield words_of(described.status)


def member_id(described: Description, native_id: str, number: int) -> str:
    """Return the native id of the job `number`, counted from 0, of the array `native_id`."""
    if described.array is None:
        return native_id
    return _filled(described.array.id, {"id": native_id, "index": str(described.array.first + number)})


def _about_all(template: str, placeholder: str, values: Sequence[str], separator: str) -> Iterator[Argv]:
    words = words_of(template)
    if f"{{{placeholder}}}" not in template:
        yield words
        return
    for part in _parts(values):
        argv: Argv = []
        for word in words:
            if word == f"{{{placeholder}}}" and separator == " ":
                argv += part
            else:
                argv.append(_filled(word, {placeholder: separator.join(part)}))
        yield argv


def _parts(values: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    length = 0
    for value in values:
        if part and length + len(value) > _IDS_AT_MOST:
            yield part
            part, length = [], 0
        part.append(value)
        length += len(value) + 1
    if part:
        yield part


def _filled(word: str, values: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), word)


def _resource_values(asked: Resources) -> dict[str, str]:
    values = {"cpus": str(asked.cpus), "gpus": str(asked.gpus)}
    if asked.memory_bytes is not None:
        units = {"bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
        values |= {f"memory_{unit}": _up(asked.memory_bytes, size) for unit, size in units.items()}
    if asked.walltime_s is not None:
        minutes, seconds = divmod(asked.walltime_s, 60)
        values |= {
            "walltime": f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}",
            "walltime_s": str(asked.walltime_s),
            "walltime_min": _up(asked.walltime_s, 60),
            "walltime_h": _up(asked.walltime_s, 3600),
        }
    return values


def _up(amount: int, unit: int) -> str:
    return str(-(-amount // unit))
