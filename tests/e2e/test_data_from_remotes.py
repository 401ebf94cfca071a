"""The hub fetches what nobody sent it from a project's S3 bucket, by the key its operator granted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3_server
from data_place import hub_store
from e2e_place import Place, WorkTree
from s3_server import S3Server

pytestmark = pytest.mark.slow

MANIFEST = """\
[data]
remote = "{url}"

[stages.count]
run = "cat many/* x.csv | wc -l > o; env > environment"
needs = ["x.csv", "many"]
makes = ["o", "environment"]
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server.for_tests() as server:
        yield server


def project(place: Place, s3: S3Server, url: str, name: str = "p") -> WorkTree:
    """A clone that sent its data to the bucket, by keys of its own, and the hub nothing."""
    tree = place.project({"lockgate.toml": MANIFEST.format(url=url)}, name)
    lines = "".join(f"    {key} = {value}\n" for key, value in s3.options().items())
    tree.write({"x.csv": "1\n2\n", **{f"many/{n}": f"{name} {n}\n" for n in range(20)}})
    tree.lockgate("data", "add", "x.csv", "many")
    tree.write({".dvc/config.local": f"['remote \"own\"']\n    url = {url}\n{lines}"})
    tree.commit()
    tree.lockgate("data", "put")
    for hook in (tree.path / ".git" / "hooks").iterdir():
        hook.unlink()  # else the push would send the data along
    return tree


def grant(place: Place, s3: S3Server, url: str, who: str = "READER", *projects: str) -> None:
    options = s3.options(who)
    secret = place.hub / "lab.toml"
    secret.write_text(
        "".join(f'{key} = "{options[key]}"\n' for key in ("access_key_id", "secret_access_key"))
    )
    secret.chmod(0o600)
    named = ", ".join(f'"{project}"' for project in projects or ("p",))
    (place.hub / "hub.toml").write_text(
        f'[credentials.lab]\nurl = "{url}"\nfor = [{named}]\nfile = "lab.toml"\n'
        f'options = {{ endpointurl = "{s3.endpoint}", region = "us-east-1" }}\n'
    )


def test_with_a_grant_the_data_comes_and_its_key_is_nowhere(place: Place, s3: S3Server) -> None:
    url = f"s3://{s3_server.BUCKET}/granted"
    tree = project(place, s3, url)
    refused = tree.push().err
    assert "which has no grant to fetch it from" in refused and url in refused
    assert "[credentials.NAME]" in refused and "FAILED" in refused

    grant(place, s3, f"s3://{s3_server.BUCKET}/granted")
    tree.commit(message="again")
    assert "SUCCEEDED" in tree.push().err
    tree.pull()
    assert tree.read("o").strip() == "22"
    assert not re.search("AKREADER|SKREADER|READER", tree.read("environment"))
    place.settle()
    for path in (place.hub / "dispatcher.log", *(place.hub / "runs").rglob("*")):
        if path.is_file():
            assert b"SKREADER" not in path.read_bytes(), path
    # Nothing is left of what was under way
    left = [path for path in (place.hub / "incoming").rglob("*") if path.is_file()]
    assert left == []


def test_another_project_may_not_use_it(place: Place, s3: S3Server) -> None:
    url = f"s3://{s3_server.BUCKET}/ours"
    project(place, s3, url)
    grant(place, s3, url)
    theirs = project(place, s3, url, "q")
    assert "which has no grant to fetch it from" in theirs.push().err


@pytest.mark.parametrize("fault", ["denied", "damaged", "missing", "dead"])
def test_a_remote_that_cannot_be_used_is_named_and_nothing_is_kept(
    place: Place, s3: S3Server, fault: str
) -> None:
    url = f"s3://{s3_server.BUCKET}/{fault}"
    tree = project(place, s3, url)
    grant(place, s3, url)
    md5 = tree.read("x.csv.dvc").partition("md5: ")[2][:32]
    if fault == "denied":
        secret = place.hub / "lab.toml"
        secret.write_text('access_key_id = "AKREADER"\nsecret_access_key = "wrong"\n')
        said = "refuses"
    elif fault == "dead":
        settings = (place.hub / "hub.toml").read_text()
        (place.hub / "hub.toml").write_text(settings.replace(s3.endpoint, "http://127.0.0.1:9"))
        said = "cannot be reached"
    else:
        change(s3, f"{fault}/files/md5/{md5[:2]}/{md5[2:]}", b"0\n2\n" if fault == "damaged" else None)
        said = "other bytes than its name says" if fault == "damaged" else "x.csv (4 bytes) is not on the hub"
    done = tree.push()
    assert "FAILED" in done.err and said in done.err
    assert not hub_store(tree).has(md5)
    if fault == "dead":
        return
    # Put right, it goes on
    grant(place, s3, url)
    change(s3, f"{fault}/files/md5/{md5[:2]}/{md5[2:]}", b"1\n2\n")
    tree.commit(message="again")
    assert "SUCCEEDED" in tree.push().err
    assert hub_store(tree).check(md5)


def change(s3: S3Server, key: str, content: bytes | None) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id="AKWRITER",
        aws_secret_access_key="SKWRITER",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}),
    )
    if content is None:
        client.delete_object(Bucket=s3_server.BUCKET, Key=key)
    else:
        client.put_object(Bucket=s3_server.BUCKET, Key=key, Body=content)


def test_the_doctor_says_what_is_wrong_with_a_grant(place: Place, s3: S3Server) -> None:
    place.project({"lockgate.toml": '[stages.s]\nrun = "true"\nneeds = []\nmakes = ["o"]\n'})
    grant(place, s3, "s3://lab")
    doctor = ("hub", "doctor", "--hub", str(place.hub))
    tree = WorkTree(place, place.root / "p")
    assert "credentials lab" in tree.lockgate(*doctor, code=None).out
    Path(place.hub / "lab.toml").chmod(0o644)
    said = tree.lockgate(*doctor, code=None).out
    assert "may be read by others" in said and "chmod 600" in said
