"""A clone's own git settings for notebooks: how they are merged, shown, and what of them git gets.

Only `.git/config`, by keys named `lockgate…`, and `.git/info/attributes` are written, and by git itself a ref
that keeps notebooks' texts; git without Lockgate, or with one that was moved away, goes on as if these were
not there (gitattributes(5), Defining a custom merge driver, Performing text diffs of binary files, Long
Running Filter Process).
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

import msgspec

from lockgate.git.program import attempt, git
from lockgate.hub.notebooks.policy import known_policy, policy_of
from lockgate.project.outputs import OutputPolicy
from lockgate.project.pipeline import MANIFEST_FILE

DRIVER = "lockgate-notebook"
#: What git does with notebooks, written where a project shares it; without our settings git does as always.
ATTRIBUTES = f"*.ipynb diff={DRIVER} merge={DRIVER} filter={DRIVER}"
SWITCH = "lockgate.notebooksInGit"
POLICY = "lockgate.notebookOutputs"
NBDIME = "lockgate.notebookNbdime"
_HEAD = "# Notebooks: written by Lockgate; lockgate notebook off takes it out."
#: So often a setting is tried, 20 ms apart.
_TRIES = 50
_KINDS = ("diff", "merge", "filter")
#: Where git keeps the texts that this very command gave it (gitattributes(5), `cachetextconv`).
_TEXTS = f"refs/notes/textconv/{DRIVER}"
#: To be raised with each change of `lockgate.project.notebook_text`: texts kept before are of no use then.
_TEXT_FORM = 1
_CALL = 'python={python}; [ -x "$python" ] && "$python" -I -m lockgate notebook'


#: The protocol's greeting, and that nothing can be done: git would end if a filter only went away.
_NO_FILTER = (
    "{ echo 'lockgate is not where it was: git gets notebooks with outputs; to mend it: lockgate sync' >&2; "
    "printf '0016git-filter-server\n000eversion=2\n00000000'; cat >/dev/null; }"
)


class Prepared(msgspec.Struct, frozen=True):
    """How a clone treats notebooks."""

    policy: OutputPolicy
    before: OutputPolicy | None
    """The policy until now; None: nothing was set up."""
    is_on: bool = True
    """Whether this clone is set up at all: `lockgate notebook off` has it left alone."""
    others: tuple[str, ...] = ()
    """What another program does with notebooks here, which stays: `filter=nbstripout`."""

    @property
    def note(self) -> str:
        """Return in words what is new for who works here; empty: nothing."""
        if self.policy != "keep" and any(each.startswith("filter=") for each in self.others):
            return (
                f'outputs = "{self.policy}" is not carried out here: another filter has notebooks'
                f" ({', '.join(self.others)})"
            )
        if self.before is None or self.before == self.policy:
            return ""
        if self.policy == "keep":
            return "notebooks' outputs are in git from now on"
        return "notebooks' outputs are kept out of git from now on; your files keep theirs"


def prepare(root: Path, python: str = sys.executable) -> Prepared:
    """Set up what notebooks need in this clone, where that is still to do; settings of others stay.

    Raises `OutsideError` (`git-failed`).
    """
    there = _settings(root)
    before = known_policy(there.get(POLICY.lower()))
    if there.get(SWITCH.lower()) == "off":
        return Prepared("keep", before, is_on=False)
    policy = _declared(root) or before or "keep"
    wanted = _wanted(policy, python, is_nbdime=there.get(NBDIME.lower()) == "true")
    for key, value in wanted.items():
        if there.get(key.lower()) != value:
            _set(root, key, value)
    for key in there:
        if key not in {each.lower() for each in wanted}:
            attempt(root, "config", "--local", "--unset-all", key)
    return Prepared(policy, before, others=_attributes(root))


def policy_notes(root: Path, prepared: Prepared) -> tuple[str, ...]:
    """Return what a member is to be told: of a policy that came before `prepared`, or since."""
    if not prepared.is_on:
        return ()
    since = Prepared(current_policy(root), prepared.policy)
    return tuple(note for note in (prepared.note, since.note) if note)


def switch_off(root: Path) -> None:
    """Take out of this clone all that `prepare` wrote, and have it stay so."""
    for key in _settings(root):
        attempt(root, "config", "--local", "--unset-all", key)
    for kind in _KINDS:
        attempt(root, "config", "--local", "--remove-section", f"{kind}.{DRIVER}")
    attempt(root, "update-ref", "-d", _TEXTS)
    place = _attributes_file(root)
    if place.exists():
        lines = place.read_text("utf-8", "surrogateescape").splitlines(keepends=True)
        left = [line for line in lines if line.rstrip() != _HEAD and DRIVER not in line]
        place.write_text("".join(left), "utf-8", "surrogateescape")
    git(root, "config", "--local", SWITCH, "off")


def switch_on(root: Path, *, is_nbdime: bool = False) -> Prepared:
    """Set a clone up, also one that was switched off.

    `is_nbdime`: `git diff` shows notebooks in nbdime's way, which takes seconds for each.
    """
    attempt(root, "config", "--local", "--unset-all", SWITCH)
    # A text that was kept while the Python was away is JSON
    attempt(root, "update-ref", "-d", _TEXTS)
    git(root, "config", "--local", NBDIME, "true" if is_nbdime else "false")
    return prepare(root)


def current_policy(root: Path) -> OutputPolicy:
    """Return what this clone does with outputs, whatever the work tree's manifest says by now."""
    code, output, _ = attempt(root, "config", "--local", "--get", POLICY)
    return (known_policy(output.decode("utf-8", "replace").strip()) if code == 0 else None) or "keep"


def _set(root: Path, key: str, value: str) -> None:
    """Write one setting; git refuses while another process writes, as a run beside a sync."""
    for _ in range(_TRIES):
        code, _, error = attempt(root, "config", "--local", key, value)
        if code == 0 or b"could not lock" not in error:
            break
        time.sleep(0.02)
    if code != 0:
        git(root, "config", "--local", key, value)


def _settings(root: Path) -> dict[str, str]:
    names = rf"^(lockgate\.notebook.*|({'|'.join(_KINDS)})\.{DRIVER}\..*)$"
    _, output, _ = attempt(root, "config", "--local", "-z", "--get-regexp", names)
    records = (each.partition("\n") for each in output.decode("utf-8", "surrogateescape").split("\0") if each)
    return {key.lower(): value for key, _, value in records}


def _declared(root: Path) -> OutputPolicy | None:
    try:
        return policy_of((root / MANIFEST_FILE).read_bytes())
    except OSError:
        return None


def _wanted(policy: OutputPolicy, python: str, *, is_nbdime: bool) -> dict[str, str]:
    call = _CALL.format(python=shlex.quote(python))
    # git itself replaces %O and the like in a merge driver
    merge = call.replace("%", "%%")
    found = {
        SWITCH: "on",
        POLICY: policy,
        NBDIME: "true" if is_nbdime else "false",
        f"merge.{DRIVER}.name": "notebooks cell by cell",
        f"merge.{DRIVER}.driver": (
            f"{merge} merge %O %A %B %P --marker-size %L; case $? in 0) exit 0;; 10) exit 1;; esac; "
            "exec git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B"
        ),
        f"diff.{DRIVER}.textconv": f'f() {{ : {_TEXT_FORM}; {call} text "$1" || cat "$1"; }}; f',
        f"diff.{DRIVER}.cachetextconv": "true",
    }
    if is_nbdime:
        plain = 'git --no-pager diff --no-index --no-ext-diff --no-textconv -- "$2" "$5"'
        found[f"diff.{DRIVER}.command"] = f'f() {{ {call} diff "$@" || {plain}; true; }}; f'
    if policy != "keep":
        found[f"filter.{DRIVER}.process"] = f"{call} filter || {_NO_FILTER}"
        # With a required one, a moved environment would stop every checkout
        found[f"filter.{DRIVER}.required"] = "false"
    return found


def _attributes(root: Path) -> tuple[str, ...]:
    """Have git know what to do with notebooks; return what others say of that."""
    output = git(root, "check-attr", "-z", *_KINDS, "--", "lockgate.ipynb")
    fields = output.decode("utf-8", "surrogateescape").split("\0")
    said = dict(zip(fields[1::3], fields[2::3], strict=False))
    lacking = [kind for kind in _KINDS if said.get(kind) == "unspecified"]
    if lacking:
        place = _attributes_file(root)
        before = place.read_text("utf-8", "surrogateescape") if place.exists() else ""
        gap = "" if not before or before.endswith("\n") else "\n"
        line = " ".join(["*.ipynb", *(f"{kind}={DRIVER}" for kind in lacking)])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{before}{gap}{_HEAD}\n{line}\n", "utf-8", "surrogateescape")
    return tuple(f"{kind}={value}" for kind, value in said.items() if value not in ("unspecified", DRIVER))


def _attributes_file(root: Path) -> Path:
    return root / git(root, "rev-parse", "--git-path", "info/attributes").decode().rstrip("\n")
