"""The tables of the hub's index, and the number of their form."""

from __future__ import annotations

FORMAT = 6

_COSTS = """
create table costs (
  project text not null,
  name text not null,
  recent blob not null,
  primary key (project, name)
) without rowid;
"""

_VERIFICATIONS = """
create table verifications (
  project text not null,
  run text not null,
  by_run text not null,
  report blob not null,
  primary key (project, by_run)
) without rowid;
create index verifications_by_run on verifications (project, run);
"""

_CERTIFICATIONS = """
create table certifications (
  number integer primary key autoincrement,
  project text not null,
  entry text not null,
  path text not null,
  said blob not null,
  unique (project, entry)
);
create index certifications_by_path on certifications (project, path, number);
"""

_ACCEPTANCES = """
create table acceptances (
  number integer primary key autoincrement,
  project text not null,
  entry text not null,
  path text not null,
  said blob not null,
  unique (project, entry)
);
create index acceptances_by_path on acceptances (project, path, number);
"""

_OBSERVATIONS = """
create table observations (
  run text not null,
  stage text not null,
  seen blob not null,
  primary key (run, stage)
) without rowid;
"""

SCHEMA = (
    """
create table runs (
  number integer primary key autoincrement,
  id text not null unique,
  project text not null,
  state text not null,
  request blob not null,
  receipt blob not null,
  created_at real not null,
  started_at real,
  ended_at real,
  cause text,
  result_commit text,
  has_moved_branch integer not null default 0,
  cancelled_by text,
  is_swept integer not null default 0
);
create index runs_by_project on runs (project, number);
create index runs_unfinished on runs (state) where ended_at is null;
create index runs_unswept on runs (ended_at) where is_swept = 0;
create table jobs (
  run text not null,
  stage text not null,
  position integer not null,
  state text not null,
  reason text not null,
  cause text,
  reused_from text,
  started_at real,
  ended_at real,
  peak_memory_bytes integer,
  waits_for text,
  primary key (run, stage)
) without rowid;
create table events (
  run text not null,
  sequence integer not null,
  at real not null,
  body blob not null,
  primary key (run, sequence)
) without rowid;
create table results (
  project text not null,
  fingerprint text not null,
  stage text not null,
  number integer not null,
  record blob not null,
  primary key (project, fingerprint)
) without rowid;
create index results_by_stage on results (project, stage, number);
"""
    + _COSTS
    + _VERIFICATIONS
    + _CERTIFICATIONS
    + _ACCEPTANCES
    + _OBSERVATIONS
)

#: The form of an older index → what brings it to the next one.
UPGRADES = {1: _COSTS, 2: _VERIFICATIONS, 3: _CERTIFICATIONS, 4: _OBSERVATIONS, 5: _ACCEPTANCES}
