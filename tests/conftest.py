"""What every test stands on: a home, a git identity and a private hub that are nobody's own."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lockgate.hub.notebooks.quick_import import quick_import

with quick_import():  # many packages bring it: every process of the tests would build a grammar for 3 s
    import jsonschema  # noqa: F401

# How long a busy machine takes says nothing of what is tested. `quick` is for `make check`; where a test says
# how many examples it wants, that counts.
settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("whole"), max_examples=10)
settings.load_profile("whole")

GIT_CONFIG = """\
[user]
\tname = A Member
\temail = member@example.org
[init]
\tdefaultBranch = main
[commit]
\tgpgsign = false
[protocol "file"]
\tallow = always
"""


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the person who runs the tests reaches them, and nothing of the tests reaches that person.

    The identity stands in a `.gitconfig` and not in `GIT_AUTHOR_NAME`: Lockgate clears git's own variables,
    and a test may name another member with `git -c user.name=…`.
    """
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(GIT_CONFIG, encoding="utf-8")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("GIT_", "XDG_", "SSH_")) or (
                name.startswith("LOCKGATE_") and name != "LOCKGATE_GOLDEN"
            ):
                patch.delenv(name)
        for name in (
            "VIRTUAL_ENV",
            "PYTHONPATH",
            "PYTHONDONTWRITEBYTECODE",  # else every process compiles hundreds of modules anew
            "PYTHONHASHSEED",
            "FORCE_COLOR",
            "CLICOLOR_FORCE",
            "COLUMNS",
        ):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            patch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
        # Downloaded packages are kept between test sessions; everything else in a cache is not.
        patch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(cache / "uv"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_TERMINAL_PROMPT", "0")
        patch.setenv("NO_COLOR", "1")
        patch.setenv("TZ", "UTC")
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv(
            "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        )
        yield


def pytest_collection_finish() -> None:
    """Thousands of collected tests are not looked through again at every collection of garbage."""
    gc.freeze()


NOT_TESTED = "NOT TESTED: "


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell at the end which services could not be had: a skipped test is easily missed."""
    skipped = terminalreporter.getreports("skipped")
    reasons = [report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)]
    lacking = [reason.partition(NOT_TESTED)[2] for reason in reasons if NOT_TESTED in reason]
    if lacking:
        terminalreporter.section("NOT TESTED", yellow=True, bold=True)
        for what in dict.fromkeys(lacking):
            terminalreporter.line(f"{NOT_TESTED}{what} ({lacking.count(what)} tests)")
