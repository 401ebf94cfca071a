"""What a grant of the operator opens: what lies below it, for its projects, on its host. Nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import UserError
from lockgate.hub.directory import Hub
from lockgate.hub.supplying.remote_grants import way_to

GRANTS = """\
[credentials.wide]
url = "s3://lab/data"
for = ["p"]
options = { endpointurl = "http://s3.example.org" }

[credentials.narrow]
url = "s3://lab/data/p/"
for = ["p", "q"]
file = "narrow.toml"

[credentials.shell]
url = "ssh://data@host:2222/srv/x"
for = ["p"]
"""


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    (tmp_path / "hub.toml").write_text(GRANTS)
    secret = tmp_path / "narrow.toml"
    secret.write_text('access_key_id = "K"\nsecret_access_key = "S"\n')
    secret.chmod(0o600)
    return Hub(tmp_path)


def test_the_narrowest_grant_counts_and_brings_its_options(hub: Hub) -> None:
    wide, narrow = way_to(hub, "p", "s3://lab/data/other"), way_to(hub, "p", "s3://lab/data/p/raw/")
    assert wide is not None and narrow is not None
    assert (wide.url, dict(wide.options)) == (
        "s3://lab/data/other",
        {"endpointurl": "http://s3.example.org"},
    )
    assert narrow.url == "s3://lab/data/p/raw"
    assert dict(narrow.options) == {"access_key_id": "K", "secret_access_key": "S"}


@pytest.mark.parametrize(
    "url",
    [
        "s3://lab/data2",
        "s3://lab",
        "s3://lab/data/../secret",
        "s3://lab/data/%2e%2e/secret",
        "s3://lab/data/x%2f..%2f..%2fsecret",
        "s3://other/data",
        "gs://lab/data",
        "s3://lab/data?endpoint=http://thief",
        "ssh://host/srv/x",
        "ssh://thief:2222/srv/x",
        "ssh://host:2222/srv/xy",
        "ssh://host:no/srv/x",
        "/srv/x",
        "",
    ],
)
def test_beside_a_grant_there_is_no_way(hub: Hub, url: str) -> None:
    assert way_to(hub, "p", url) is None


def test_who_is_named_at_the_host_is_the_grants_word(hub: Hub) -> None:
    way = way_to(hub, "p", "ssh://root:guess@host:2222/srv/x/y")
    assert way is not None and way.url == "ssh://data@host:2222/srv/x/y"


def test_another_project_has_its_own_grants_only(hub: Hub) -> None:
    assert way_to(hub, "q", "s3://lab/data/other") is None
    assert way_to(hub, "q", "s3://lab/data/p") is not None
    assert way_to(hub, "r", "s3://lab/data/p") is None


def test_a_secret_that_others_may_read_is_not_used(hub: Hub) -> None:
    (hub.root / "narrow.toml").chmod(0o644)
    with pytest.raises(UserError, match="may be read by others"):
        way_to(hub, "q", "s3://lab/data/p")


def test_a_secret_of_the_wrong_form_is_not_repeated(hub: Hub) -> None:
    (hub.root / "narrow.toml").write_text("secret_access_key = hunter2\n")
    with pytest.raises(UserError) as caught:
        way_to(hub, "q", "s3://lab/data/p")
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        '[credentials.x]\nurl = "/srv"\nfor = ["p"]\n',
        '[credentials.x]\nurl = "ssh://a:b@host/srv"\nfor = ["p"]\n',
        '[credentials.x]\nurl = "s3://lab"\nfor = ["p"]\nkey = "no"\n',
        '[credentials.x]\nurl = "s3://lab"\n',
    ],
)
def test_what_cannot_be_meant_is_refused(hub: Hub, text: str) -> None:
    (hub.root / "hub.toml").write_text(text)
    with pytest.raises(UserError, match=r"hub\.toml"):
        way_to(hub, "p", "s3://lab/x")
