"""HTCondor by its Python bindings (`htcondor2`), which need neither its commands nor a process a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import classad2
import htcondor2

from lockgate.backends.htcondor import answers
from lockgate.backends.htcondor.answers import Ad
from lockgate.backends.htcondor.commands import Commands
from lockgate.backends.htcondor.place import Place
from lockgate.errors import UserError

_Answer = TypeVar("_Answer")


class Bindings:
    """An access point by `htcondor2`; calls and errors are those of `Commands`."""

    def submit(self, description: str, place: Place) -> tuple[int, int]:
        text = Path(description).read_text(encoding="utf-8", errors="surrogateescape")

        def hand_over() -> tuple[int, int]:
            result = _schedd(place).submit(htcondor2.Submit(text))
            return int(result.cluster()), int(result.num_procs())

        return _asked("for a submission", hand_over)

    def query(self, constraint: str, attributes: Sequence[str], place: Place) -> list[Ad]:
        names = list(attributes)
        return _asked(
            "for its queue",
            lambda: [_plain(ad) for ad in _schedd(place).query(constraint=constraint, projection=names)],
        )

    def history(self, constraint: str, attributes: Sequence[str], limit: int, place: Place) -> list[Ad]:
        names = list(attributes)
        return _asked(
            "for its history",
            lambda: [
                _plain(ad)
                for ad in _schedd(place).history(constraint=constraint, projection=names, match=limit)
            ],
        )

    def remove(self, constraint: str, reason: str, place: Place) -> None:
        action = htcondor2.JobAction.Remove
        _asked("for a removal", lambda: _schedd(place).act(action, constraint, reason=reason))

    def analyse(self, native_ids: Sequence[str], place: Place) -> str:
        """The bindings cannot: by the command, where there is one."""
        return Commands().analyse(native_ids, place)


def _schedd(place: Place) -> Any:
    if place.pool is None and place.schedd is None:
        return htcondor2.Schedd()
    collector = htcondor2.Collector(place.pool) if place.pool is not None else htcondor2.Collector()
    if place.schedd is None:
        return htcondor2.Schedd(collector.locate(htcondor2.DaemonType.Schedd))
    return htcondor2.Schedd(collector.locate(htcondor2.DaemonType.Schedd, place.schedd))


def _asked(what: str, ask: Callable[[], _Answer]) -> _Answer:
    try:
        return ask()
    except (htcondor2.HTCondorException, classad2.ClassAdException, ValueError, OSError, IndexError) as error:
        raise answers.failure(what, str(error) or type(error).__name__) from None
    except RuntimeError as error:
        raise UserError(
            f"HTCondor refuses: {error}",
            "Correct [batch.htcondor] or the stage's resources.",
            code="htcondor-refused",
        ) from None


def _plain(ad: Any) -> Ad:
    """Return those values of an ad that are numbers, words or truths."""
    return {name: value for name, value in ad.items() if isinstance(value, (int, float, str))}
