"""Fills the HTTP cache of the RO-Crate validator with the two JSON-LD contexts, so that it needs no network.

    crate_contexts.py CACHE RO_CRATE_CONTEXT

RO_CRATE_CONTEXT is the file that the package `rocrate` brings for RO-Crate 1.1. The terms of the other are
those of https://github.com/ResearchObject/ro-terms, `workflow-run/context.json`.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

_RUN_TERMS = (
    *("ParameterConnection", "ContainerImage", "DockerImage", "SIFImage", "connection", "sourceParameter"),
    *("targetParameter", "md5", "sha1", "sha256", "sha512", "environment", "registry", "tag"),
    *("containerImage", "resourceUsage"),
)
_RUN_CONTEXT = {"@context": {term: f"https://w3id.org/ro/terms/workflow-run#{term}" for term in _RUN_TERMS}}


def main(cache: str, context: str) -> None:
    import requests
    import requests_cache
    import urllib3

    answers = {
        "https://w3id.org/ro/crate/1.1/context": Path(context).read_bytes(),
        "https://w3id.org/ro/terms/workflow-run/context": json.dumps(_RUN_CONTEXT).encode(),
    }

    class Kept(requests.adapters.HTTPAdapter):
        def send(self, request: Any, *_: Any, **__: Any) -> Any:
            said = urllib3.HTTPResponse(
                io.BytesIO(answers[request.url]),
                {"Content-Type": "application/ld+json"},
                status=200,
                request_method="GET",
                request_url=request.url,
                preload_content=False,
            )
            return self.build_response(request, said)

    session = requests_cache.CachedSession(cache, expire_after=-1, backend="sqlite")
    session.mount("https://", Kept())
    for url in answers:
        session.get(url).raise_for_status()


if __name__ == "__main__":
    main(*sys.argv[1:])
