"""What a command line asks for by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def chosen(names: Collection[str], known: Sequence[str], what: str) -> list[str]:
    """Return those of `known` that are named, in their order; all of them for no names.

    Raises
    ------
    ValueError
        When one is not known.
    """
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"no {what} {', '.join(unknown)}; expected some of {', '.join(known)}")
    return [each for each in known if not names or each in names]
