"""Reads the Dockerfile, as far as ours goes: stages, and instructions in JSON or as words."""
from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Stage:
    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [arguments for name, arguments in self.instructions if name == instruction]

    def last(self, instruction: str) -> str:
        found = self.all(instruction)
        return found[-1] if found else ""

    def words(self, instruction: str) -> list[str]:
        """The words of ENTRYPOINT or CMD, which must be JSON: else a shell would run them and take the signals."""
        return json.loads(self.last(instruction))

    def pairs(self, instruction: str) -> dict[str, str]:
        """All that ENV, LABEL or ARG set."""
        words = [word for arguments in self.all(instruction) for word in shlex.split(arguments)]
        return dict(word.partition("=")[::2] for word in words)


def stages() -> list[Stage]:
    """The stages, with the arguments of the head put in where FROM names them."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    head: dict[str, str] = {}
    result: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, arguments = line.partition(" ")
        instruction, arguments = instruction.upper(), arguments.strip()
        if instruction == "FROM":
            base, *alias = re.sub(r"\$\{(\w+)\}", lambda m: head[m.group(1)], arguments).split()
            result.append(Stage(base, alias[1] if alias else ""))
        elif not result:
            name, _, value = arguments.partition("=")
            head[name] = value
        else:
            result[-1].instructions.append((instruction, arguments))
    return result


def image() -> Stage:
    """The last stage, which is the image."""
    return stages()[-1]
