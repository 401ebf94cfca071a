"""How values stand on a page: times, lengths, sizes, numbers, states. Values in, text or safe HTML out."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from markupsafe import Markup

from lockgate.project.quantities import duration_words, size_words
from lockgate.runs.runid import short

#: State → name of its icon. No state is told by colour alone: the word stands beside it.
ICONS = {
    "succeeded": "check",
    "ok": "check",
    "cached": "again",
    "failed": "cross",
    "problem": "cross",
    "running": "turning",
    "preparing": "turning",
    "recording": "turning",
    "collecting": "turning",
    "resolving": "turning",
    "submitted": "clock",
    "queued": "clock",
    "received": "clock",
    "waiting": "clock",
    "cancelled": "stop",
    "blocked": "minus",
    "note": "info",
    "certified": "check",
    "expired": "clock",
    "withdrawn": "stop",
    "changed": "warn",
    "none": "minus",
}
_WORDS = {"blocked": "not run", "none": "not certified", "changed": "changed since"}
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (86_400 * 14, 86_400, "d"))


def epoch(at: float | str) -> float:
    """Return a time, given as seconds or as ISO 8601, as seconds since the epoch."""
    if isinstance(at, str):
        return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()
    return at


def ago(seconds: float) -> str:
    """Return how long ago something was, in words; what lies weeks back is better told by its date."""
    if seconds < 5:
        return "just now"
    for limit, unit, word in _STEPS:
        if seconds < limit:
            return f"{int(seconds // unit)} {word} ago"
    return ""


def when(at: float | str | None, now: float | None = None) -> Markup:
    """Return a time relative to now, with the absolute one as its title."""
    if at is None:
        return Markup("–")
    moment = datetime.fromtimestamp(epoch(at), UTC)
    words = ago((time.time() if now is None else now) - moment.timestamp()) or moment.strftime("%Y-%m-%d")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M:%S UTC"), words
    )


def day(at: float | str, now: float | None = None) -> str:
    """Return the day of a time as people say it: Today, Yesterday, or its date."""
    moment = datetime.fromtimestamp(epoch(at), UTC).date()
    today = datetime.fromtimestamp(time.time() if now is None else now, UTC).date()
    back = (today - moment).days
    if back in (0, 1):
        return ("Today", "Yesterday")[back]
    return moment.strftime("%A, %d %B %Y").replace(" 0", " ")


def duration(seconds: float | None) -> str:
    return "–" if seconds is None else duration_words(seconds)


def size(size_bytes: float | None) -> str:
    return "–" if size_bytes is None else size_words(size_bytes)


def number(value: object) -> str:
    """Return a value for a column of numbers: at most six digits of a fraction, thousands set apart."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}".replace(",", "\u202f")
    if 1e-4 <= abs(value) < 1e7:
        whole, _, fraction = (
            f"{value:,.6g}".partition(".") if abs(value) < 1000 else f"{value:,.2f}".partition(".")
        )
        return whole.replace(",", "\u202f") + (f".{fraction}" if fraction else "")
    return f"{value:.4g}"


def signed(value: float | None) -> str:
    """Return a difference with its sign."""
    if value is None:
        return ""
    if value == 0:
        return "±0"
    return ("+" if value > 0 else "−") + number(abs(value))


def percent(value: float | None) -> str:
    return "" if value is None else f"{'+' if value > 0 else '−' if value < 0 else '±'}{abs(value):.1%}"


def state_icon(state: str) -> str:
    return ICONS.get(state, "clock")


def state_word(state: str) -> str:
    return _WORDS.get(state, state)


def initials(name: str) -> str:
    """Return up to two letters that stand for a member."""
    whole = name.partition("@")[0]
    parts = whole.replace(".", " ").replace("-", " ").replace("_", " ").split()
    return "".join(part[0] for part in parts[:2]) if len(parts) > 1 else whole[:2]


def short_commit(commit: str | None) -> str:
    return commit[:9] if commit else "–"


FILTERS = {
    "when": when,
    "day": day,
    "duration": duration,
    "size": size,
    "number": number,
    "signed": signed,
    "percent": percent,
    "state_icon": state_icon,
    "state_word": state_word,
    "initials": initials,
    "short": short,
    "short_commit": short_commit,
}
