"""The table `[batch.spark]`: read strictly, told in words where it cannot be meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from lockgate.errors import UserError
from lockgate.project.quantities import parse_size, size_words
from lockgate.project.toml_reader import nearest

_MASTER = re.compile(r"spark://\S+:\d+|k8s://\S+|yarn|local(\[(\d+|\*)(, *\d+)?\])?|local-cluster\[.*\]")
_SETTING = re.compile(r"[^\s=:#!\\]+")
#: What an executor's Java heap must hold at least: 1.5 times the 300 MiB that Spark keeps for itself
#: (UnifiedMemoryManager.scala, RESERVED_SYSTEM_MEMORY_BYTES).
LEAST_EXECUTOR_BYTES = 450 << 20

Setting = str | int | float | bool


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a lead says of Spark. Sizes are in bytes once read."""

    master: str | None = None
    """As spark-submit takes it; None: what the site's own spark-defaults.conf says."""
    deploy_mode: Literal["client", "cluster"] = "client"
    executors: int | None = None
    executor_cores: int | None = None
    """None: the stage's `cpus`."""
    executor_memory: str | int | None = None
    """None: the stage's `memory`; where it has none, Spark's own default."""
    total_cores: int | None = None
    driver_memory: str | int | None = None
    packages: list[str] = []
    repositories: list[str] = []
    jars: list[str] = []
    py_files: list[str] = []
    files: list[str] = []
    archives: list[str] = []
    queue: str | None = None
    python: str | None = None
    """The Python that executors start; None: the runtime's."""
    spark_home: str | None = None
    java_home: str | None = None
    event_log: bool = True
    """Whether Spark's events go to the job's folder, to be counted; else as the site has it."""
    spread: bool = False
    """Whether the stages are spread over the executors of one application, instead of being drivers."""
    conf: dict[str, Setting] = {}
    extra: list[str] = []


KEYS = tuple(sorted(Options.__struct_fields__))
_COUNTS = ("executors", "executor_cores", "total_cores")
_SIZES = ("executor_memory", "driver_memory")
_ABSOLUTE = ("spark_home", "java_home")
_COMMA_LISTS = ("packages", "repositories", "jars", "py_files", "files", "archives")


def read_options(table: Mapping[str, object]) -> Options:
    """Read `[batch.spark]`. Raises `UserError` (`spark-options`) for what cannot be meant."""
    for key in table:
        if key not in KEYS:
            raise _wrong(f"unknown key {key}", nearest(key, KEYS))
    try:
        options = msgspec.convert(table, Options, strict=True)
    except msgspec.ValidationError as problem:
        what, _, where = str(problem).partition(" - at ")
        raise _wrong(
            f"{where.strip('`').removeprefix('$.') or 'its form'}: {what[:1].lower()}{what[1:]}",
            "Correct that value.",
        ) from None
    _check(options)
    sizes = {key: _size(key, getattr(options, key)) for key in _SIZES}
    return msgspec.structs.replace(options, **sizes)


def _check(options: Options) -> None:
    if options.master is not None and not _MASTER.fullmatch(options.master):
        raise _wrong(
            f"master {options.master!r} is no Spark master",
            'Write "spark://HOST:7077", "yarn", "k8s://https://HOST:PORT" or "local[2]".',
        )
    for key in _COUNTS:
        value = getattr(options, key)
        if value is not None and not 1 <= value <= 1_000_000:
            raise _wrong(f"{key} is {value}, not a whole number from 1 to 1000000", "Correct that value.")
    for key in _ABSOLUTE:
        value = getattr(options, key)
        if value is not None and not value.startswith("/"):
            raise _wrong(f"{key} {value!r} is no absolute path", f'Write {key} = "/…".')
    for key in _COMMA_LISTS:
        for value in getattr(options, key):
            if not value.strip() or "," in value or "\0" in value:
                raise _wrong(f"{key} holds {value!r}", "Write one name or path in quotes for each item.")
    for key in options.conf:
        if not _SETTING.fullmatch(key):
            raise _wrong(f"conf holds {key!r}, which cannot be a setting's name", "Name it as Spark does.")
    if options.spread and options.deploy_mode == "cluster":
        raise _wrong("spread needs deploy_mode client", 'Remove deploy_mode = "cluster".')


def _size(key: str, value: str | int | None) -> int | None:
    if value is None:
        return None
    size = parse_size(value) if isinstance(value, str) else value
    if size is None or size < 1:
        raise _wrong(f"{key} is {value!r}, not a size", f'Write it as {key} = "2 GB".')
    if key == "executor_memory" and size < LEAST_EXECUTOR_BYTES:
        least = size_words(LEAST_EXECUTOR_BYTES)
        raise _wrong(
            f"executor_memory is {size_words(size)}; Spark needs {least} for an executor", "Raise it."
        )
    return size


def _wrong(message: str, hint: str) -> UserError:
    return UserError(f"[batch.spark]: {message}", hint, code="spark-options")
