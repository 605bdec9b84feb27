"""The documentation names files, tests and numbers; each of them must exist, and the tour must leave no file out."""

from __future__ import annotations

import itertools
import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
# Where a short path such as `hbc_fw/app.py` may begin.
ROOTS = [REPOSITORY / name for name in (".", "firmware", "native", "host", "hil", "docs", "tests")]
PATH_ENDINGS = (".py", ".c", ".h", ".md", ".toml", ".j2", ".css", ".mjs", "/")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TEST_NAME = re.compile(r"test_\w+")
COST_ROW = re.compile(r"^\| `([A-Z]\w+(?:\.\w+)?)` \| (\d+) \|$", re.MULTILINE)
EXTERNAL = ("ports/", "soc/")  # MicroPython's and ESP-IDF's trees, quoted as sources
EXTERNAL_NAMES = {"mcpwm_reg.h", "gpio_reg.h", "dport_reg.h"}


def prose(page: Path) -> str:
    """Text of a page without its blocks of code."""
    return FENCE.sub("", page.read_text("utf-8"))


def quoted(page: Path) -> list[str]:
    return QUOTED.findall(prose(page))


def page_id(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


def names_a_file(word: str) -> bool:
    """True for a word that can only mean a file of ours: it has a folder or a source file's ending."""
    if " " in word or word.startswith(("/", "-", ".", "http", *EXTERNAL)) or word in EXTERNAL_NAMES:
        return False
    return word.endswith(PATH_ENDINGS)


def exists(word: str) -> bool:
    if "/" in word:
        return any(any(root.glob(word.rstrip("/"))) for root in ROOTS)
    # A bare name, such as `main.py`: anywhere in the folders that hold our sources.
    return (REPOSITORY / word).exists() or any(any(root.rglob(word)) for root in ROOTS[1:])


def missing_links(page: Path) -> list[str]:
    targets = [target.split("#")[0] for target in LINK.findall(prose(page))]
    ours = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    return [target for target in ours if not (page.parent / target).exists()]


def missing_files(page: Path) -> list[str]:
    return [word for word in quoted(page) if names_a_file(word) and not exists(word)]


def missing_tests(page: Path) -> list[str]:
    words = [word.rpartition("::")[2] for word in quoted(page)]
    sources = [path.read_text("utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py")]
    known = {name for source in sources for name in re.findall(r"def (\w+)", source)}
    return [word for word in words if TEST_NAME.fullmatch(word) and word not in known]


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert missing_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_file_named_in_backticks_exists(page: Path) -> None:
    assert missing_files(page) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_test_named_as_evidence_exists(page: Path) -> None:
    assert missing_tests(page) == []


def test_a_dead_link_a_missing_file_and_an_invented_test_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "[a](gone.md) [b](page.md) `hbc_fw/gone.py` `hbc_fw/app.py` `main.py` `test_that_nobody_wrote`\n"
    page.write_text(text, "utf-8")
    assert missing_links(page) == ["gone.md"]
    assert missing_files(page) == ["hbc_fw/gone.py"]
    assert missing_tests(page) == ["test_that_nobody_wrote"]


@pytest.mark.parametrize("package", ["firmware", "host/hbc_host"])
def test_the_tour_passes_through_every_file_of_the_box_and_of_the_host(package: str) -> None:
    folder = REPOSITORY / package
    modules = folder.rglob("*.py") if package == "firmware" else folder.glob("*.py")
    # The commands are the README's matter; __init__ files hold nothing that a heartbeat meets.
    wanted = {path.name for path in modules if not path.name.startswith(("__init__", "cli_"))}
    seen = {word.rpartition("/")[2] for word in quoted(DOCS / "tour.md") if word.endswith(".py")}
    assert sorted(wanted - seen) == [], "docs/tour.md does not mention these modules; add them where they are passed"


def test_the_simulators_cost_table_is_the_one_in_force() -> None:
    costs = runpy.run_path(str(REPOSITORY / "hil/hbc_hil/machine_esp32/costs.py"))
    in_force = {name: value for name, value in costs.items() if name.isupper() and isinstance(value, int)}
    in_force |= {f"{owner}.{method}": ns for _, owner, method, ns in costs["METHODS"]}
    written = {name: int(value) for name, value in COST_ROW.findall((DOCS / "simulator.md").read_text("utf-8"))}
    assert written == in_force


@pytest.mark.parametrize("page", DECISIONS, ids=page_id)
def test_a_decision_is_short_and_says_why_what_follows_and_what_shows_it(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.startswith(f"# {page.name[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Evidence"]
    assert text.count("\n") < 40


def commands_of(text: str) -> list[list[str]]:
    """Command lines of hbc in blocks of code, as words; comments are left out."""
    blocks = "\n".join(FENCE.findall(text))
    lines = re.sub(r"\\\n\s*", " ", blocks).splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("hbc ")]


def written_by(words: list[str]) -> list[str]:
    """What a command writes in the current folder, as far as its options say; placeholders are left out."""
    found = [value for option, value in itertools.pairwise(words) if option in ("--out", "--json", "--report")]
    found += words[4:5] if words[1:3] == ["protocol", "new"] else []
    found += words[3:4] if words[1:3] == ["cohort", "simulate"] else []
    found += words[-1:] if words[1] == "export" else []
    found += [f"{words[3]}.nl.pdf"] if words[1:3] == ["patient", "report"] else []
    found += [f"{words[3]}-practice.toml"] if "--practice" in words and words[1] == "protocol" else []
    # A name all in capitals stands for one of the reader's.
    found = [name for name in found if not name.startswith(("-", "/", "../")) and not re.match("[A-Z_]+(/|$)", name)]
    return [*found, "hbc-demo"] if words[1] == "demo" and "--out" not in words else found


def test_what_documented_commands_write_in_a_checkout_stays_out_of_the_repository() -> None:
    pages = [REPOSITORY / "README.md", DOCS / "tutorial.md", *DOCS.glob("howto/*.md")]
    commands = [words for page in pages for words in commands_of(page.read_text("utf-8"))]
    names = sorted({name for words in commands for name in written_by(words)})
    assert {"cohort-demo", "dash.toml", "dash-practice.toml", "hbc-demo", "P-014.nl.pdf"} <= set(names)
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("no git here: apt install git, and a checkout")
    names += ["hbc-nl", "itbs.toml", "my-session"]  # what people type instead
    asked = [name if Path(name).suffix else f"{name}/" for name in names]
    done = subprocess.run(["git", "check-ignore", "--no-index", *asked], cwd=REPOSITORY, capture_output=True, text=True)
    assert sorted(set(asked) - set(done.stdout.split())) == []
