"""Narrows in the form that each endpoint takes on servers of every feature level.

A pair with a text as operand is accepted everywhere. `GET messages` accepts an operand of another type only in an
object, and `POST register` accepts no objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Narrow = Sequence[Sequence[object] | Mapping[str, object]]
"""Filters such as `[["channel", "general"], ["topic", "lunch"]]` or `[{"operator": "sender", "operand": 10}]`."""


def as_terms(narrow: object) -> object:
    """A narrow for `GET messages`: pairs whose operand is not text become objects."""
    return [_as_term(one) for one in narrow] if isinstance(narrow, list | tuple) else narrow


def as_pairs(narrow: object) -> object:
    """A narrow for `POST register`: objects become pairs. Negated objects stay, since a pair cannot be negated."""
    return [_as_pair(one) for one in narrow] if isinstance(narrow, list | tuple) else narrow


def _as_term(term: object) -> object:
    if isinstance(term, list | tuple) and len(term) == 2 and not isinstance(term[1], str):
        return {"operator": term[0], "operand": term[1]}
    return term


def _as_pair(term: object) -> object:
    if isinstance(term, Mapping) and term.keys() <= {"operator", "operand", "negated"} and not term.get("negated"):
        return [term.get("operator"), term.get("operand")]
    return term
