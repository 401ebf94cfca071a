"""A small graph of RDF, and its two forms: Turtle (https://www.w3.org/TR/turtle/) and JSON-LD. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import msgspec

XSD = "http://www.w3.org/2001/XMLSchema#"
#: What an IRI in Turtle may not hold: section 6.4, IRIREF.
_NOT_IN_IRI = re.compile(r"[\x00-\x20<>\"{}|^`\\]")


class Iri(msgspec.Struct, frozen=True):
    """A node or a property with a name of its own: an absolute IRI, or `prefix:name`."""

    text: str


class Literal(msgspec.Struct, frozen=True):
    """A value; `kind`: its datatype as an Iri's text, none for plain text."""

    text: str
    kind: str = ""


class Blank(msgspec.Struct, frozen=True):
    """A node without a name of its own."""

    label: str


Node = Iri | Blank
Triple = tuple[Node, Iri, Iri | Blank | Literal]

TYPE = Iri("rdf:type")


def turtle(triples: Iterable[Triple], prefixes: Mapping[str, str]) -> str:
    """Return the graph as Turtle, subjects in their order."""
    lines = [f"@prefix {name}: <{base}> ." for name, base in prefixes.items()]
    for subject, said in _by_subject(triples).items():
        pairs = [f"{_term(verb, prefixes)} {_term(thing, prefixes)}" for verb, thing in said]
        lines += ["", _term(subject, prefixes) + " " + " ;\n    ".join(pairs) + " ."]
    return "\n".join(lines) + "\n"


def json_ld(triples: Iterable[Triple], prefixes: Mapping[str, str]) -> dict[str, object]:
    """Return the graph as JSON-LD (https://www.w3.org/TR/json-ld11/), one object for each subject."""
    graph: list[dict[str, object]] = []
    for subject, said in _by_subject(triples).items():
        node: dict[str, object] = {"@id": _name(subject)}
        for verb, thing in said:
            key, value = (verb.text, _value(thing)) if verb != TYPE else ("@type", _name(thing))
            values = node.setdefault(key, [])
            assert isinstance(values, list)
            values.append(value)
        graph.append(node)
    return {"@context": dict(prefixes), "@graph": graph}


def iri_of(text: str) -> Iri:
    """Return an IRI of foreign text, with what it may not hold written as %XX."""
    return Iri(_NOT_IN_IRI.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text))


def _by_subject(triples: Iterable[Triple]) -> dict[Node, list[tuple[Iri, Iri | Blank | Literal]]]:
    found: dict[Node, list[tuple[Iri, Iri | Blank | Literal]]] = {}
    for subject, verb, thing in triples:
        found.setdefault(subject, []).append((verb, thing))
    return found


def _term(term: Iri | Blank | Literal, prefixes: Mapping[str, str]) -> str:
    if isinstance(term, Blank):
        return f"_:{term.label}"
    if isinstance(term, Literal):
        # JSON's escapes are among those of Turtle's strings (section 6.4), but for the slash, which it leaves
        text = json.dumps(term.text.encode("utf-8", "replace").decode(), ensure_ascii=False)
        return text + (f"^^{_term(Iri(term.kind), prefixes)}" if term.kind else "")
    return term.text if term.text.partition(":")[0] in prefixes else f"<{term.text}>"


def _name(term: Iri | Blank | Literal) -> str:
    return f"_:{term.label}" if isinstance(term, Blank) else term.text


def _value(term: Iri | Blank | Literal) -> dict[str, str]:
    if isinstance(term, Literal):
        text = term.text.encode("utf-8", "replace").decode()
        return {"@value": text, **({"@type": term.kind} if term.kind else {})}
    return {"@id": _name(term)}
