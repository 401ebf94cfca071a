"""What holds one thing still in a Python job: written as `sitecustomize.py` into the folder of a trial.

Reads `LOCKGATE_HOLD`, words with commas: `time=SECONDS` (a millisecond more at each reading), `seed`,
`hash`, `threads`, `locale` (C.UTF-8), `other-locale`. Needs Python from 3.10 on and its library. What is not
Python, or was told to leave `PYTHONPATH` out, is not held.
"""

# It exchanges parts of the standard library, and loads only what a trial asks for.
# mypy: ignore-errors
# ruff: noqa: PLC0415, SIM105, UP017

from __future__ import annotations

import os
import sys

_LOCALES = ("de_DE.UTF-8", "fr_FR.UTF-8", "tr_TR.UTF-8", "en_US.UTF-8", "pt_BR.UTF-8", "ja_JP.UTF-8")


def hold(words: str) -> None:
    """Hold what the words say."""
    asked = dict(word.partition("=")[::2] for word in words.split(",") if word)
    if "hash" in asked:
        _hold_hash()
    if "time" in asked:
        _hold_time(float(asked["time"]))
    if "seed" in asked:
        _hold_seed()
    if "threads" in asked:
        _hold_threads()
    if "locale" in asked:
        _set_locale("C.UTF-8")
    if "other-locale" in asked:
        _set_other_locale()


def _hold_hash() -> None:
    """The hash seed is read once, when Python starts: start again with it."""
    if os.environ.get("PYTHONHASHSEED") != "0" or sys.flags.hash_randomization:
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _hold_time(start: float) -> None:
    import datetime
    import time

    ticks = [0]
    real_localtime, real_gmtime, real_strftime, real_ctime = (
        time.localtime, time.gmtime, time.strftime, time.ctime
    )  # fmt: skip

    def now_ns() -> int:
        ticks[0] += 1
        return int(start) * 1_000_000_000 + ticks[0] * 1_000_000

    def now() -> float:
        return now_ns() / 1e9

    time.time, time.time_ns = now, now_ns
    for name in ("perf_counter", "process_time", "thread_time"):
        setattr(time, name, now)
        setattr(time, f"{name}_ns", now_ns)
    time.localtime = lambda seconds=None: real_localtime(now() if seconds is None else seconds)
    time.gmtime = lambda seconds=None: real_gmtime(now() if seconds is None else seconds)
    time.ctime = lambda seconds=None: real_ctime(now() if seconds is None else seconds)
    time.strftime = lambda form, at=None: real_strftime(form, time.localtime() if at is None else at)
    real_date, real_datetime = datetime.date, datetime.datetime

    class Plain(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, real_datetime if cls.__name__ == "datetime" else real_date)

        def __subclasscheck__(cls, other: type) -> bool:
            return issubclass(other, real_datetime if cls.__name__ == "datetime" else real_date)

    def date_today(cls: type) -> datetime.date:
        return real_date.fromtimestamp(now())

    def datetime_now(cls: type, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return real_datetime.fromtimestamp(now(), tz)

    def datetime_utcnow(cls: type) -> datetime.datetime:
        return real_datetime.fromtimestamp(now(), datetime.timezone.utc).replace(tzinfo=None)

    members = {
        "now": classmethod(datetime_now),
        "today": classmethod(datetime_now),
        "utcnow": classmethod(datetime_utcnow),
    }
    datetime.date = Plain("date", (real_date,), {"today": classmethod(date_today)})
    datetime.datetime = Plain("datetime", (real_datetime,), members)


def _hold_seed() -> None:
    """Entropy comes from one stream, the same each time; NumPy takes its own from there by `secrets`."""
    import hashlib

    count = [0]

    def urandom(size: int) -> bytes:
        count[0] += 1
        return hashlib.shake_256(b"lockgate %d" % count[0]).digest(size)

    os.urandom = urandom
    if hasattr(os, "getrandom"):
        os.getrandom = lambda size, flags=0: urandom(size)
    import random

    plain_seed = random.Random.seed

    def seed(self: random.Random, a: object = None, version: int = 2) -> None:
        plain_seed(self, 0 if a is None else a, version)

    random.Random.seed = seed
    random.seed(0)
    _after_import("torch", lambda torch: torch.manual_seed(0))
    _after_import("tensorflow", lambda tensorflow: tensorflow.random.set_seed(0))


def _hold_threads() -> None:
    if hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        except OSError:
            pass
    os.cpu_count = lambda: 1
    # A thread runs until it waits for something
    sys.setswitchinterval(3600.0)


def _set_locale(name: str) -> None:
    for variable in [name for name in os.environ if name.startswith("LC_")]:
        del os.environ[variable]
    os.environ["LC_ALL"] = os.environ["LANG"] = name
    os.environ.pop("LANGUAGE", None)


def _set_other_locale() -> None:
    import locale

    before = locale.setlocale(locale.LC_ALL)
    for name in _LOCALES:
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        _set_locale(name)
        break
    locale.setlocale(locale.LC_ALL, before)


def _after_import(name: str, then: object) -> None:
    """Call `then` with a module once it is imported."""
    import importlib.abc
    import importlib.machinery

    class Finder(importlib.abc.MetaPathFinder):
        def find_spec(self, full: str, path: object, target: object = None) -> object:
            if full != name:
                return None
            sys.meta_path.remove(self)
            spec = importlib.machinery.PathFinder.find_spec(full, path)
            if spec is not None and spec.loader is not None:
                execute = spec.loader.exec_module

                def exec_module(module: object) -> None:
                    execute(module)
                    then(module)

                spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())


if os.environ.get("LOCKGATE_HOLD") and __name__ == "sitecustomize":
    hold(os.environ["LOCKGATE_HOLD"])
