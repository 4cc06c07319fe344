"""Requests that arrive together share one query, and each answer is as fresh as that of a query of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, final

from keybearer.errors import StorageError

Question = TypeVar("Question")
Answer = TypeVar("Answer")

LARGEST_BATCH = 256
"""The most questions that one query answers. Others wait for the next query."""


@final
class SharedQuery(Generic[Question, Answer]):
    """Collects questions and asks them together.

    A question that arrives while a query runs waits for the next one: a query that has begun may not see what was
    committed before the question arrived. So each answer is as fresh as the database, and the busier the server, the
    more questions share a query. Nothing is cached between queries.

    `ask` gets questions and returns an answer to each, in the same order. If it fails, all who wait for it get a
    StorageError, and the next question asks again. A SharedQuery belongs to the event loop in which it is created.
    """

    def __init__(self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._asking: asyncio.Task[None] | None = None

    def answer(self, question: Question) -> asyncio.Future[Answer]:
        """The answer, to be awaited, from a query that begins after this call. Raises StorageError."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.append((question, answer))
        if self._asking is None:
            self._asking = self._loop.create_task(self._ask_while_somebody_waits())
        return answer

    async def _ask_while_somebody_waits(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
                await self._ask_together(batch)
        finally:
            self._asking = None

    async def _ask_together(self, batch: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in batch])
        except Exception as error:  # noqa: BLE001  with any error, nobody waits for ever and nobody is admitted
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(_error_for_one(error))
        except asyncio.CancelledError:
            for _, waiting in batch:
                waiting.cancel()
            raise
        else:
            for (_, waiting), answer in zip(batch, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)


def _error_for_one(error: Exception) -> StorageError:
    """A separate error for one of several waiters, so that each raises it with its own traceback."""
    if isinstance(error, StorageError):
        return type(error)(error.message, hint=error.hint)
    failure = StorageError("The database returned an invalid answer")
    failure.__cause__ = error
    return failure
