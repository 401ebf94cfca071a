"""Members with roles push: what passes, what becomes a proposal, what is refused and told."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from e2e_place import ONE_STAGE, TWO_STAGES, Place, WorkTree

from lockgate.activity.entry import Activity
from lockgate.hub.directory import open_hub
from lockgate.hub.members.book import open_book
from lockgate.hub.members.values import Member, Role


def as_member(name: str, scope: str = "admin") -> dict[str, str]:
    """What a door of the hub sets for git's hooks."""
    return {"LOCKGATE_MEMBER": name, "LOCKGATE_SCOPE": scope}


@pytest.fixture
def lead(place: Place) -> WorkTree:
    """A project with a lead ada, a member bob, a viewer vic; the work tree is ada's."""
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    tree.git("push", "-q", "-o", "skip", "hub", "main")
    book = open_book(open_hub(place.hub))
    roles: tuple[tuple[str, Role], ...] = (("ada", "lead"), ("bob", "member"), ("vic", "viewer"))
    for name, role in roles:
        book.add(Member(name=name, email=f"{name}@example.org", roles={"p": role}))
    return tree


@pytest.fixture
def member(place: Place, lead: WorkTree) -> WorkTree:
    return place.clone("bobs", "bob@elsewhere.org")


def last(place: Place, kind: str) -> Activity:
    return [activity for activity in place.activities() if activity.kind == kind][-1]


def proposals(tree: WorkTree) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = json.loads(tree.lockgate("hub", "proposal", "list", "--json").out)
    return found


def test_a_members_push_is_run_in_their_name(place: Place, member: WorkTree) -> None:
    member.commit({"i": "2\n"})
    assert "SUCCEEDED" in member.push(env=as_member("bob")).err
    assert place.runs()[-1].request.member == "bob"
    assert last(place, "run.finished").by == "bob"


def test_what_leads_decide_becomes_a_proposal_and_nothing_else_moves(place: Place, member: WorkTree) -> None:
    before = place.refs("refs/heads")
    commit = member.commit({"lockgate.toml": TWO_STAGES, "environments/prod.toml": "a = 1\n"})
    done = member.push("main", "main:mine", code=1, env=as_member("bob"))
    assert (
        "environments/prod.toml, lockgate.toml may be changed on main by a lead only (ada):"
        " a proposal was opened: " in done.err
    )
    assert "[settings-protected]" in done.err
    assert place.refs("refs/heads") == before
    (ref,) = place.refs("refs/lockgate/proposals").items()
    assert ref[0].startswith("refs/lockgate/proposals/bob/")
    assert ref[1] == commit
    assert place.on_hub("fsck", "--connectivity-only", "--no-dangling") == ""
    told = last(place, "proposal.opened")
    assert (told.by, told.commit, told.ref) == ("bob", commit, ref[0])
    assert told.title == "bob proposed to change environments/prod.toml, lockgate.toml on main"
    again = member.push(code=1, env=as_member("bob"))
    assert ref[0][-8:] in again.err
    assert len(place.refs("refs/lockgate/proposals")) == 1
    assert place.runs() == []


def test_a_lead_accepts_and_it_is_run_as_by_a_push(place: Place, lead: WorkTree, member: WorkTree) -> None:
    commit = member.commit({"lockgate.toml": TWO_STAGES}, "Shout it too")
    member.push(code=1, env=as_member("bob"))
    (proposal,) = proposals(lead)
    assert proposal["subject"] == "Shout it too"
    shown = lead.lockgate("hub", "proposal", "show", proposal["id"][-8:]).out
    assert "+[stages.shout]" in shown
    refused = lead.lockgate("hub", "proposal", "accept", proposal["id"][-8:], "--by", "bob", code=2)
    assert "bob may not accept or decline proposals of p" in refused.err
    said = lead.lockgate("hub", "proposal", "accept", proposal["id"][-8:], "--by", "ada").out
    assert "is now on main" in said
    assert "is queued" in said
    place.settle()
    row = place.runs()[-1]
    assert (row.state, row.request.member, row.request.commit) == ("succeeded", "ada", commit)
    lead.pull()
    assert lead.read("shouted") == "1\n"
    assert place.refs("refs/lockgate/proposals") == {}
    assert last(place, "proposal.accepted").title.endswith("of bob: Shout it too")
    lead.lockgate("log", "--verify")


def test_an_accepted_proposal_is_merged_where_the_branch_went_on(
    place: Place, lead: WorkTree, member: WorkTree
) -> None:
    member.commit({"lockgate.toml": TWO_STAGES}, "Shout it too")
    member.push(code=1, env=as_member("bob"))
    lead.commit({"other": "1\n", "i": "2\n"})
    lead.push(env=as_member("ada"))
    (proposal,) = proposals(lead)
    assert (
        "is merged into main" in lead.lockgate("hub", "proposal", "accept", proposal["id"], "--by", "ada").out
    )
    place.settle()
    lead.pull()
    assert lead.read("shouted") == "2\n"
    assert lead.read("other") == "1\n"
    merge = last(place, "proposal.accepted").commit or ""
    assert place.on_hub("log", "-1", "--format=%an <%ae> %s", merge) == (
        f"ada <ada@example.org> Merge proposal {proposal['id'][-8:]} of bob: Shout it too"
    )


def test_a_conflict_is_told_and_nothing_is_lost(place: Place, lead: WorkTree, member: WorkTree) -> None:
    member.commit({"lockgate.toml": TWO_STAGES})
    member.push(code=1, env=as_member("bob"))
    lead.commit({"lockgate.toml": ONE_STAGE.replace("cat i", "cat  i") + "\n[data]\n"})
    lead.push(env=as_member("ada"))
    (proposal,) = proposals(lead)
    before = place.refs()
    done = lead.lockgate("hub", "proposal", "accept", proposal["id"], code=2)
    assert "both changed lockgate.toml" in done.err
    assert "[proposal-conflict]" in done.err
    assert place.refs() == before
    lead.lockgate("hub", "proposal", "decline", proposal["id"], "--by", "ada", "--reason", "later")
    assert proposals(lead) == []
    assert last(place, "proposal.declined").evidence["reason"] == "later"
    assert place.on_hub("cat-file", "-t", proposal["commit"]) == "commit"


def test_a_proposal_that_cannot_be_planned_is_not_accepted(
    place: Place, lead: WorkTree, member: WorkTree
) -> None:
    member.commit({"lockgate.toml": ONE_STAGE + "colour = 1\n"})
    member.push(code=1, env=as_member("bob"))
    (proposal,) = proposals(lead)
    before = place.refs("refs/heads")
    assert "colour" in lead.lockgate("hub", "proposal", "accept", proposal["id"], code=2).err
    assert place.refs("refs/heads") == before
    assert len(proposals(lead)) == 1
    lead.lockgate("hub", "proposal", "decline", proposal["id"], "--by", "bob")
    assert last(place, "proposal.declined").title == f"bob took back proposal {proposal['id'][-8:]}"


REFUSED = [
    ("vic", "main", "not-allowed", "vic may not push to p: vic is a viewer there"),
    ("vic", "main:mine", "not-allowed", "vic may not push to p"),
    ("eve", "main", "member-unknown", "eve is no member of this hub"),
    ("bob", "main~2:main", "default-branch-protected", "main may be rewritten by a lead only (ada)"),
    ("bob", ":main", "default-branch-protected", "main may be deleted by a lead only (ada)"),
    (
        "bob",
        "main:refs/lockgate/activity",
        "ref-reserved",
        "refs/lockgate/activity is written by the hub alone",
    ),
    ("bob", "main:refs/lockgate/journals/ada/x", "journal-foreign", "is the journal of ada, not yours"),
    ("vic", "main:refs/lockgate/journals/vic/x", "not-allowed", "vic may not push to p"),
    ("bob", "main:refs/lockgate/proposals/ada/x", "ref-reserved", "refs/lockgate/proposals/ada/x"),
    ("bob", "main:refs/replace/" + "a" * 40, "ref-reserved", "is not for members to write"),
]


def test_what_is_refused_is_told_in_the_chain(place: Place, lead: WorkTree) -> None:
    lead.commit({"i": "2\n"})
    lead.git("push", "-q", "-o", "skip", "hub", "main", env=as_member("ada"))
    lead.commit({"i": "3\n"})
    before = place.refs("refs/heads")
    for who, word, code, said in REFUSED:
        done = lead.git("push", "--force", "hub", word, code=1, env=as_member(who))
        assert said in done.err
        assert f"[{code}]" in done.err
        told = last(place, "push.refused")
        assert (told.evidence["code"], told.evidence["member"]) == (code, who)
        assert told.by == ("hub" if who == "eve" else who)
    assert place.refs("refs/heads") == before
    assert len([told for told in place.activities() if told.kind == "push.refused"]) == len(REFUSED)
    lead.lockgate("log", "--verify")


def test_a_lead_may_all_that_and_a_narrow_token_of_theirs_may_not(place: Place, lead: WorkTree) -> None:
    lead.commit({"lockgate.toml": TWO_STAGES})
    lead.git("push", "-o", "skip", "hub", "main", env=as_member("ada", "read"), code=1)
    assert len(proposals(lead)) == 0
    lead.push(env=as_member("ada", "write"))
    lead.git("push", "-o", "skip", "--force", "hub", "main~1:main", env=as_member("ada"))
    lead.git("push", "-o", "skip", "hub", ":main", env=as_member("ada"))
    assert place.refs("refs/heads") == {}


def test_one_made_inactive_is_refused_at_the_next_push(
    place: Place, lead: WorkTree, member: WorkTree
) -> None:
    member.commit({"i": "2\n"})
    lead.lockgate("hub", "member", "change", "bob", "--inactive")
    assert "[member-inactive]" in member.push(code=1, env=as_member("bob")).err
    lead.lockgate("hub", "member", "remove", "bob")
    assert "[member-unknown]" in member.push(code=1, env=as_member("bob")).err
    assert "SUCCEEDED" in member.push().err


def test_the_first_branch_of_a_project_is_the_leads(place: Place, lead: WorkTree) -> None:
    lead.lockgate("hub", "add-project", "new")
    lead.lockgate("hub", "member", "change", "ada", "--role", "lead", "--project", "new")
    lead.lockgate("hub", "member", "change", "bob", "--role", "member", "--project", "new")
    url = str(place.repository("new"))
    done = lead.git("push", url, "main:mine", code=1, env=as_member("bob"))
    assert "lockgate.toml may be changed on mine by a lead only (ada): a proposal was opened" in done.err
    assert place.refs("refs/heads", project="new") == {}
    lead.git("push", "-o", "skip", url, "main", env=as_member("ada"))
    lead.git("push", "-o", "skip", url, "main:mine", env=as_member("bob"))


def test_members_change_settings_on_their_own_branch(place: Place, member: WorkTree) -> None:
    member.commit({"lockgate.toml": TWO_STAGES})
    assert "SUCCEEDED" in member.push("main:mine", env=as_member("bob")).err


def test_a_dry_run_opens_no_proposal(place: Place, member: WorkTree) -> None:
    member.commit({"lockgate.toml": TWO_STAGES})
    done = member.git("push", "-o", "dry-run", "hub", "main", code=1, env=as_member("bob"))
    assert "by a lead only (ada)" in done.err
    assert "a proposal was opened" not in done.err
    assert place.refs("refs/lockgate/proposals") == {}


def test_a_leads_batch_settings_reach_a_members_branch_at_once(
    place: Place, lead: WorkTree, member: WorkTree
) -> None:
    member.commit({"i": "2\n"})
    lead.commit({"lockgate.toml": ONE_STAGE + '\n[batch]\nbackend = "nosuch"\n'})
    lead.git("push", "-o", "skip", "hub", "main", env=as_member("ada"))
    done = member.push("main:mine", code=1, env=as_member("bob"))
    assert "nosuch" in done.err
    lead.commit({"lockgate.toml": ONE_STAGE + '\n[batch]\nbackend = "local"\n'})
    lead.git("push", "-o", "skip", "hub", "main", env=as_member("ada"))
    assert "SUCCEEDED" in member.push("main:mine", env=as_member("bob")).err


def test_a_hub_without_members_takes_any_name(place: Place) -> None:
    tree = place.project({"lockgate.toml": ONE_STAGE, "i": "1\n"})
    assert "SUCCEEDED" in tree.push(env=as_member("whoever")).err
    assert place.runs()[-1].request.member == "whoever"
