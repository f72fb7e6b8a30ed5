"""Programs that run beside the benchmark and are asked line by line: a word and numbers in JSON, an answer in JSON.

Servers and clients are processes of their own, so that the CPU of one is not the CPU of the other.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
ANSWER_WITHIN_S = 120.0
LONGEST_LINE = 64 * 1024 * 1024

type Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ProgramEnded(Exception):
    """A program beside the benchmark ended, or did not answer."""


class Program:
    """One such program, as the benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        """Wrap a process whose standard input and output are pipes."""
        self._process = process
        self._name = name

    async def ask(self, **question: Any) -> dict[str, Any]:
        """Put a question and return its answer.

        Raises:
            ProgramEnded: there is no answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(ANSWER_WITHIN_S):
                line = await self._process.stdout.readline()
        except (ConnectionError, TimeoutError) as failure:
            raise ProgramEnded(f"{self._name} gives no answer") from failure
        if not line:
            raise ProgramEnded(f"{self._name} ended; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def end(self) -> None:
        """Close its input, upon which it ends by itself, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(module: str, *arguments: str) -> AsyncIterator[Program]:
    """Run a module of this package as a program; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{__package__}.{module}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
        limit=LONGEST_LINE,
    )
    program = Program(process, " ".join((module, *arguments)))
    try:
        yield program
    finally:
        await program.end()


async def answer_questions(answer: Answer) -> None:
    """Answer the questions on standard input until it is closed: the other end of `Program.ask`."""
    loop = asyncio.get_running_loop()
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while line := await questions.readline():
        answered = await answer(json.loads(line))
        sys.stdout.write(json.dumps(answered) + "\n")
        sys.stdout.flush()
