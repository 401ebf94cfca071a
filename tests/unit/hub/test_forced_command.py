"""What may be asked for over ssh: nothing that is not known."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.hub.forced_command import GitCall, ObjectCall, Question, VersionCall, parse_call

MD5 = "0123456789abcdef" * 2


def refused(text: str) -> bool:
    try:
        parse_call(text, "bob")
    except UserError as error:
        assert error.code == "ssh-command"
        return True
    return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("git-upload-pack '/flights.git'", GitCall("upload-pack", "read", "/flights.git")),
        ("git-receive-pack '/flights.git'", GitCall("receive-pack", "push", "/flights.git")),
        ("git upload-archive 'flights'", GitCall("upload-archive", "read", "flights")),
        ("git-upload-pack 'it'\\''s'\\!''", GitCall("upload-pack", "read", "it's!")),
        ("/h/bin/lockgate --version", VersionCall()),
        (
            f"cat /h/store/files/md5/{MD5[:2]}/{MD5[2:]}",
            ObjectCall(MD5, f"/h/store/files/md5/{MD5[:2]}/{MD5[2:]}"),
        ),
    ],
)
def test_git_and_objects(text: str, expected: object) -> None:
    assert parse_call(text, "bob") == expected


def asked(words: str, root: str = "/srv/hub") -> str:
    return f"{root}/bin/lockgate {words} --hub {root} --project flights"


@pytest.mark.parametrize(
    ("words", "kept", "action"),
    [
        ("runs -n 20 --json", "runs -n 20 --json", "read"),
        ("show latest", "show latest", "read"),
        ("logs 8F3KQ2ZD 'train@depth=4' -f", "logs 8F3KQ2ZD train@depth=4 -f", "read"),
        ("compare a b", "compare a b", "read"),
        ("trace --stdin --json", "trace --stdin --json", "read"),
        ("log --verify", "log --verify", "read"),
        ("backends", "backends", "read"),
        ("backends check slurm --timeout 2min", "backends check slurm --timeout 2min", "run"),
        ("cancel 8F3KQ2ZD --by ada", "cancel 8F3KQ2ZD --by bob", "cancel"),
        ("cancel 8F3KQ2ZD", "cancel 8F3KQ2ZD --by bob", "cancel"),
        ("data check --accept a --message b --by eve", "data check --accept a --message b --by bob", "push"),
        ("verify 8F3KQ2ZD --fresh --on x --by ada", "verify 8F3KQ2ZD --fresh --on x --by bob", "run"),
        ("cancel --by ada 8F3KQ2ZD --by eve", "cancel 8F3KQ2ZD --by bob", "cancel"),
    ],
)
def test_questions(words: str, kept: str, action: str) -> None:
    for root in ("/srv/hub", "~/hub", ".", "/"):
        call = parse_call(asked(words, root), "bob")
        assert call == Question(tuple(kept.split()), action, root, "flights")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "sh",
        "bash -i",
        "cat /etc/passwd",
        f"cat /h/store/files/md5/{MD5[:2]}/{MD5[2:]} /etc/passwd",
        f"cat /h/store/files/md5/{MD5[:2]}/{MD5[2:]}/../../../key",
        "git-upload-pack",
        "git-upload-pack ''",
        "git-upload-pack '/flights.git'; sh",
        "git-upload-pack '/flights.git' && sh",
        "git-upload-pack '/flights.git'\nsh",
        "git-upload-pack\t'/flights.git'",
        "git-upload-pack --upload-pack=sh flights.git",
        "git-upload-pack --upload-pack=sh",
        "git upload-pack --strict",
        "git -c core.sshCommand=sh",
        "git clone flights",
        "git-shell flights",
        "git-receive-pack 'flights",
        "git-upload-pack \x1b[31m",
        "git-upload-pack " + "a" * 5000,
        "/srv/hub/bin/lockgate run --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate hub member add eve --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate runs --hub /srv/hub",
        "/srv/hub/bin/lockgate --hub /srv/hub --project flights",
        "/tmp/bin/lockgate runs --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate runs --hub /etc --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate runs --project ships --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate show a b --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate show -x --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate compare a --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate runs -n --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate runs -n --json --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate runs --json=x --hub /srv/hub --project flights",
        "/srv/hub/bin/lockgate why x --hub /srv/hub --project flights",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    assert refused(text)


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    if not refused(text):
        assert shlex.split(text)[0].startswith(("git", "cat")) or shlex.split(text)[0].endswith(
            "/bin/lockgate"
        )


@given(
    st.lists(
        st.sampled_from(["runs", "--hub", "/e", "--project", "p", "-n", "--by", "x", "cancel", "--", "-f"])
    )
)
def test_hub_and_project_are_named_once_and_last(words: list[str]) -> None:
    text = shlex.join(["/srv/hub/bin/lockgate", *words, "--hub", "/srv/hub", "--project", "flights"])
    try:
        call = parse_call(text, "bob")
    except UserError:
        return
    assert isinstance(call, Question)
    assert (call.hub, call.project) == ("/srv/hub", "flights")
    values = {
        word for before, word in zip(call.words, call.words[1:], strict=False) if before in ("-n", "--by")
    }
    assert not {"--hub", "--project", "--"} & ({*call.words} - values)
