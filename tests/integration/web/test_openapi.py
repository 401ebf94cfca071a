"""Whatever the API's own document allows to be asked, and what it does not: no answer is a fault of ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from web_site import Site, served

#: They go on until a run has ended, or send jobs through batch systems.
_LEFT_OUT = r"/events$|/logs/stream$|/pieces$|/check$"
#: So that most questions are about something that is there.
_THERE = {"project": "flights", "run": "latest", "left": "latest", "right": "latest", "path": "counts.csv"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with served(tmp_path_factory.mktemp("openapi")) as site:
        site.project()
        site.start()
        yield site


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_that_is_asked_makes_the_service_fail(hub: Site, mode: GenerationMode) -> None:
    name = f"lea-{mode.value}"
    token = hub.member(name, "lead", is_operator=True)
    headers = {"authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(f"{hub.url}/api/v1/openapi.json", headers=headers)
    asked: Counter[int] = Counter()
    for found in schema.exclude(path_regex=_LEFT_OUT).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(
            max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            derandomize=True,
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            number = sum(asked.values())
            if number % 4:
                for parameter, value in _THERE.items():
                    if parameter in (case.path_parameters or {}):
                        case.path_parameters[parameter] = value
            answer = case.call(headers=headers, timeout=60)
            asked[answer.status_code] += 1
            assert answer.status_code < 500, (case.method, case.formatted_path, case.body, answer.text)
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) == {"code", "message", "hint"}

        ask()
    assert sum(asked.values()) > 200, asked
    assert asked[200] or mode is GenerationMode.NEGATIVE, asked
