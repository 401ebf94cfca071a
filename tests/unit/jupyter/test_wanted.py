"""What a link may have opened in a Jupyter server, and the page that asks."""

from __future__ import annotations

import pytest

from lockgate.errors import UserError
from lockgate.jupyter.opening_page import asking, telling
from lockgate.jupyter.wanted import Wanted, read_wanted

HUB = "https://hub.example.org/lock"


def test_a_project_of_a_trusted_hub_is_wanted() -> None:
    assert read_wanted(HUB + "/", "flights", "", [HUB]) == Wanted(HUB, "flights", "")
    found = read_wanted(HUB, "flights", "notes/größe 1.ipynb", ["https://other.example", HUB + "/"])
    assert found.path == "notes/größe 1.ipynb"


@pytest.mark.parametrize(
    ("hub", "project", "path", "code"),
    [
        ("https://evil.example", "flights", "", "hub-untrusted"),
        ("https://hub.example.org", "flights", "", "hub-untrusted"),
        (HUB + ".evil.example", "flights", "", "hub-untrusted"),
        ("https://hub.example.org@evil.example/lock", "flights", "", "hub-untrusted"),
        (HUB.replace("https", "http"), "flights", "", "hub-untrusted"),
        ("ext::sh -c id", "flights", "", "hub-url"),
        ("--upload-pack=id", "flights", "", "hub-url"),
        ("file:///etc", "flights", "", "hub-url"),
        ("", "flights", "", "hub-url"),
        (HUB, "", "", "project-name"),
        (HUB, "../flights", "", "project-name"),
        (HUB, "a/b", "", "project-name"),
        (HUB, ".ssh", "", "project-name"),
        (HUB, "-flights", "", "project-name"),
        (HUB, "a..b", "", "project-name"),
        (HUB, "x" * 101, "", "project-name"),
        (HUB, "flights\n", "", "project-name"),
        (HUB, "flights", "../x", "path-outside"),
        (HUB, "flights", "a/../../x", "path-outside"),
        (HUB, "flights", "/etc/passwd", "path-outside"),
        (HUB, "flights", ".git/config", "path-outside"),
        (HUB, "flights", "a\\..\\b", "path-outside"),
        (HUB, "flights", "a\r\nb", "path-outside"),
    ],
)
def test_nothing_else_is(hub: str, project: str, path: str, code: str) -> None:
    with pytest.raises(UserError) as caught:
        read_wanted(hub, project, path, [HUB])
    assert caught.value.code == code


def test_a_server_trusts_nobody_by_itself() -> None:
    with pytest.raises(UserError, match="opens nothing of the hub"):
        read_wanted(HUB, "flights", "", [])


def test_what_others_wrote_is_text_on_the_page() -> None:
    page = asking(Wanted(HUB, "flights", '"><script>alert(1)</script>'), "<i>xsrf</i>", "n")
    assert "<script" not in page and "<i>xsrf</i>" in page and "flights" in page
    told = telling(UserError("<script>", "<b>", code="project-name"), "n")
    assert "<script" not in told and "<b>" not in told
