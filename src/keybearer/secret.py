"""Secret: a text that is not revealed by str, repr, format, pickle or the time of a comparison."""

from __future__ import annotations

from typing import NoReturn, final

from keybearer.masking import MASK


@final
class Secret:
    """Contains a secret text. Only `reveal()` returns it, so every use can be found.

    Equality takes the same time wherever the difference is. Pickling raises TypeError: a pickle is a file.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):  # an f-string of another Secret contains only its mask
            raise TypeError("the text of a Secret must be a str")
        self._text = text

    def reveal(self) -> str:
        """The secret text itself."""
        return self._text

    def masked(self) -> str:
        """A form to show: the mask with the last four characters of a long secret, else only the mask."""
        return f"{MASK}{self._text[-4:]}" if len(self._text) >= 20 else MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # noqa: PLC0415 - loads OpenSSL, which few programs need for this

        return hmac.compare_digest(self._encoded(), other._encoded())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def _encoded(self) -> bytes:
        return self._text.encode("utf-8", "surrogatepass")
