from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import UserError
from lockgate.git.listing import Entry
from lockgate.project.pipeline import Runtime
from lockgate.project.runtime import (
    check_has_notebook,
    find_runtime,
    lock_header,
    lock_is_current,
    lock_path,
    package_changes,
    parse_packages,
    runtime_digest,
)

ENTRY = Entry(0o100644, "e" * 40)
LINUX = "linux-x86_64"
LOCK = """\
# a comment
numpy==2.3.1 ; sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via pandas
pandas==2.2.0 \\
    --hash=sha256:cc
"""
PYLOCK = """\
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "Six_Pack"
version = "1.17.0"
index = "{address}"
sdist = {{ url = "{address}/six.tar.gz", hashes = {{ sha256 = "aa" }} }}
wheels = [{{ url = "{address}/six.whl", hashes = {{ sha256 = "bb" }} }}]
"""


def listing(*paths: str) -> dict[str, Entry]:
    return dict.fromkeys(paths, ENTRY)


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ((), Runtime()),
        (("requirements.txt", "environment.yml"), Runtime("requirements", "requirements.txt")),
        (("requirements.txt", "pylock.toml"), Runtime("pylock", "pylock.toml")),
        (("pyproject.toml", "uv.lock", "pylock.toml"), Runtime("uv.lock", "uv.lock")),
        (("sub/requirements.txt", "sub/Dockerfile"), Runtime()),
    ],
)
def test_the_runtime_is_found_by_convention(paths: tuple[str, ...], expected: Runtime) -> None:
    assert find_runtime(listing(*paths), None) == expected


def test_what_is_declared_wins_over_what_is_there() -> None:
    declared = Runtime("requirements", "ops/needs.txt", "3.12")
    assert find_runtime(listing("uv.lock", "pyproject.toml", "ops/needs.txt"), declared) == declared


def test_a_python_alone_is_kept_with_what_convention_finds() -> None:
    found = find_runtime(listing("requirements.txt"), Runtime(python="3.12"))
    assert found == Runtime("requirements", "requirements.txt", "3.12")


@pytest.mark.parametrize(
    "path", ["environment.yml", "environment.yaml", "conda-lock.yml", "renv.lock", "apt.txt", "Dockerfile"]
)
def test_what_is_not_supported_is_refused_by_name(path: str) -> None:
    with pytest.raises(UserError) as refused:
        find_runtime(listing(path), None)
    assert refused.value.code == "runtime-unsupported"
    assert path in refused.value.message
    assert "requirements.txt" in refused.value.hint


def test_a_conda_file_cannot_be_declared_either() -> None:
    with pytest.raises(UserError) as refused:
        find_runtime(listing("ops/environment.yml"), Runtime("requirements", "ops/environment.yml"))
    assert refused.value.code == "runtime-unsupported"


@pytest.mark.parametrize(
    ("paths", "declared", "missing"),
    [
        ((), Runtime("requirements", "r.txt"), "r.txt"),
        (("uv.lock",), None, "pyproject.toml"),
        (("sub/uv.lock", "pyproject.toml"), Runtime("uv.lock", "sub/uv.lock"), "sub/pyproject.toml"),
    ],
)
def test_a_file_that_is_not_there_is_named(
    paths: tuple[str, ...], declared: Runtime | None, missing: str
) -> None:
    with pytest.raises(UserError) as refused:
        find_runtime(listing(*paths), declared)
    assert refused.value.code == "runtime-missing"
    assert refused.value.message.startswith(f"{missing} is not in the project")


@pytest.mark.parametrize(
    ("requirements", "lock"),
    [
        ("requirements.txt", "requirements.lock"),
        ("ops/needs.in", "ops/needs.lock"),
        ("deps", "deps.lock"),
        ("v1.0/deps", "v1.0/deps.lock"),
    ],
)
def test_a_lock_stands_beside_its_requirements(requirements: str, lock: str) -> None:
    assert lock_path(requirements) == lock


def test_a_lock_is_current_for_its_own_inputs_only() -> None:
    inputs = {"requirements.txt": "a" * 40, "more ü.txt": "b" * 40}
    text = lock_header(inputs, "3.11", ("b", "a")) + LOCK
    assert lock_is_current(text, inputs, "3.11", ("a", "b"))
    assert not lock_is_current(text, inputs | {"requirements.txt": "c" * 40}, "3.11", ("a", "b"))
    assert not lock_is_current(text, inputs, "3.12", ("a", "b"))
    assert not lock_is_current(text, inputs, "3.11", ())
    assert not lock_is_current(text, {}, "3.11", ("a", "b"))


@pytest.mark.parametrize("text", ["", "\n\n", LOCK, "# lockgate: {", "# lockgate: null\n"])
def test_what_lockgate_did_not_write_is_no_current_lock(text: str) -> None:
    assert not lock_is_current(text, {}, "3.11", ())


def test_packages_of_a_lock() -> None:
    assert parse_packages(LOCK) == {"numpy": "2.3.1", "pandas": "2.2.0"}
    assert parse_packages("") == {}
    assert parse_packages(PYLOCK.format(address="https://a.example")) == {"six-pack": "1.17.0"}
    forked = (
        "Foo_Bar==1.0 ; python_full_version < '3.12'\n"
        "foo-bar==2.0 ; python_full_version >= '3.12'\nx[y]==1+cpu\n"
    )
    assert parse_packages(forked) == {"foo-bar": "1.0 or 2.0", "x": "1+cpu"}
    assert parse_packages("a @ https://h.example/a-1.whl --hash=sha256:aa") == {
        "a": "https://h.example/a-1.whl"
    }


def test_changes_of_packages_are_told_changed_added_gone() -> None:
    old = {"six": "1.16", "numpy": "2.3.1", "same": "1"}
    new = {"polars": "1.2", "numpy": "2.3.2", "same": "1"}
    assert package_changes(old, new) == ("numpy 2.3.1 → 2.3.2", "+ polars 1.2", "- six 1.16")
    assert package_changes(new, new) == ()


def test_the_digest_is_of_packages_python_and_platform() -> None:
    digest = runtime_digest("requirements", LOCK, "3.11.7", LINUX)
    assert len(digest) == 64
    assert digest != runtime_digest("requirements", LOCK.replace("2.3.1", "2.3.2"), "3.11.7", LINUX)
    assert digest != runtime_digest("requirements", LOCK.replace("sha256:aa", "sha256:ab"), "3.11.7", LINUX)
    assert digest != runtime_digest("requirements", LOCK.replace("'linux'", "'darwin'"), "3.11.7", LINUX)
    assert digest != runtime_digest("requirements", LOCK, "3.11.8", LINUX)
    assert digest != runtime_digest("requirements", LOCK, "3.11.7", "macosx-14-arm64")


def test_the_digest_is_not_of_comments_order_or_addresses() -> None:
    same = """\
--extra-index-url https://somewhere.example/simple

pandas==2.2.0    --hash=sha256:cc
numpy==2.3.1 ;   sys_platform == 'linux' --hash=sha256:bb   --hash=sha256:aa # said
"""
    assert runtime_digest("uv.lock", same, "3.11.7", LINUX) == runtime_digest("none_", LOCK, "3.11.7", LINUX)
    here, there = (f"a @ https://{host}.example/a-1.whl \\\n --hash=sha256:aa\n" for host in ("x", "y"))
    assert runtime_digest("requirements", here, "3", LINUX) == runtime_digest(
        "requirements", there, "3", LINUX
    )
    here, there = (PYLOCK.format(address=f"https://{host}.example") for host in ("x", "y"))
    assert runtime_digest("pylock", here, "3", LINUX) == runtime_digest("pylock", there, "3", LINUX)
    assert runtime_digest("pylock", here.replace('"bb"', '"bc"'), "3", LINUX) != runtime_digest(
        "pylock", here, "3", LINUX
    )


def test_plain_python_has_a_digest() -> None:
    assert runtime_digest("none", "", "3.11.7", LINUX) != runtime_digest("none", "", "3.11.8", LINUX)


@given(
    st.permutations(["a==1 --hash=sha256:0", "b==2 --hash=sha256:1", "# c", "", "c[d]==3 --hash=sha256:2"])
)
def test_the_order_of_lines_never_matters(lines: list[str]) -> None:
    first = runtime_digest("requirements", "\n".join(sorted(lines)), "3.11.7", LINUX)
    assert runtime_digest("requirements", "\n".join(lines), "3.11.7", LINUX) == first


def test_a_finished_lock_must_hold_what_notebooks_need() -> None:
    check_has_notebook("ipykernel==1\nnbclient==1\nnbconvert==1\n", "requirements.txt")
    for path, word in [
        ("uv.lock", "uv add nbclient nbconvert"),
        ("requirements.txt", "Add nbclient nbconvert"),
    ]:
        with pytest.raises(UserError) as refused:
            check_has_notebook("ipykernel==1\n", path)
        assert refused.value.code == "runtime-lacks-notebook"
        assert word in refused.value.hint


@pytest.mark.parametrize("text", ["lock-version = ", 'lock-version = "1.0"\npackages = 3\n'])
def test_a_broken_pylock_is_told(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_packages(text)
    assert refused.value.code == "runtime-unreadable"
