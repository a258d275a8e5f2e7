"""What the README and the folders say of each other stays true."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_readmes_tree_is_the_tree() -> None:
    tree = README.split("```\nsrc/dcgan/\n")[1].split("```")[0]
    told = set(re.findall(r"^  (\w+(?:\.py|/))", tree, re.MULTILINE))
    house = ROOT / "src" / "dcgan"
    there = {path.name for path in house.glob("*.py") if not path.name.startswith("__")}
    there |= {f"{path.name}/" for path in house.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert told == there - {"version.py"}
    for folder in re.findall(r"^(\w+)/", tree, re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder


def test_the_readmes_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_two_commands_are_in_the_first_screen() -> None:
    first_screen = "\n".join(README.splitlines()[:25])
    assert "make demo" in first_screen and "make test" in first_screen and "![" in first_screen


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()


def test_no_file_of_ours_holds_two_concepts() -> None:
    long = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert {name: lines for name, lines in long.items() if lines > 300} == {}
