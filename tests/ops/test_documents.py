"""The documents say what is true: what they tell to type exists, their links lead somewhere, the reference is fresh."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from panicroom.cli import cli as panicroom

from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.owner_wire import StoredCount
from ops.cli import commands
from ops.functions.package import PROJECT
from tests.json_answers import answers_as
from tools.docs.check import DocumentClone, script_of, try_document
from tools.docs.command_pages import command_names
from tools.docs.commands import complaint_about, complaints
from tools.docs.markdown import Document, anchor_of, broken_links, documents
from tools.docs.reference import generated_files, with_blocks
from tools.json_answers import OF_MACHINE, OF_OWNER, PrintedAnswer

DOCUMENTS = documents()
GENERATED = generated_files()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.path))
def test_every_command_that_a_document_shows_exists_with_its_options(document: Document) -> None:
    shown = [(block.line, complaint) for block in document.blocks for complaint in complaints(block.text)]
    ours = ("panicroom ", "python -m ops ", "make ")
    shown += [
        (line, complaint)
        for line, code in document.inline_code
        if code.startswith(ours)
        for complaint in complaints(code.partition(" | ")[0])  # `preview | send`: either of them
    ]
    assert shown == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.path))
def test_what_is_said_to_be_tested_elsewhere_names_a_test(document: Document) -> None:
    named = [part for block in document.blocks for part in block.tested_by.replace(",", " ").split()]
    assert [part for part in named if not (PROJECT / part).is_file()] == []


def test_every_finding_is_in_the_reference() -> None:
    page = GENERATED[Path("docs/reference/findings.md")]
    assert [code for code in CODES if code not in page] == []


@pytest.mark.parametrize(
    ("program", "root", "answers"),
    [("python -m ops", commands, OF_OWNER), ("panicroom", panicroom, OF_MACHINE)],
)
def test_each_command_that_answers_in_json_has_its_shape_in_the_reference(
    program: str, root: click.Group, answers: Mapping[str, tuple[PrintedAnswer, ...]]
) -> None:
    found = {
        name.removeprefix(f"{program} ")
        for name, command in command_names(program, root)
        if any("--json" in option.opts for option in command.params)
    }
    assert found == set(answers)


@pytest.mark.parametrize(
    ("answer", "printed", "is_so"),
    [
        (PrintedAnswer(more={"moved": "whole number"}), {"moved": 3}, True),
        (PrintedAnswer(more={"moved": "whole number"}), {"mov": 3}, False),
        (PrintedAnswer(StoredCount), {"machine": "attic", "stored_bytes": 1}, False),
        (PrintedAnswer(StoredCount), {"machine": "attic", "stored_bytes": 1, "storage_cap_bytes": 2}, True),
        (PrintedAnswer(StoredCount, many=True), {"machine": "attic"}, False),
        (PrintedAnswer(StoredCount, many=True), [{"machine": "attic"}], False),
        (PrintedAnswer(StoredCount, {"also": "text"}, many=True), [], True),
    ],
)
def test_an_answer_has_every_field_of_its_shape_and_none_that_is_not_said(
    answer: PrintedAnswer, printed: object, is_so: bool
) -> None:
    assert answers_as((answer,), printed) is is_so


def test_every_document_is_found_from_the_first_one() -> None:
    [index] = [document for document in DOCUMENTS if document.path == Path("docs/README.md")]
    linked = {(PROJECT / "docs" / target).resolve() for _, target in index.links}
    pages = [
        one.path for one in DOCUMENTS if one.path.parts[0] == "docs" and "decisions" not in one.path.parts
    ]
    assert [path for path in pages if path != index.path and (PROJECT / path).resolve() not in linked] == []


def test_every_decision_has_a_date_and_a_status_and_is_listed() -> None:
    folder = PROJECT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for path in sorted(folder.glob("0*.md")):
        title, _, second = path.read_text().split("\n")[:3]
        assert re.fullmatch(r"# \d{4}:? .+", title), path
        assert re.fullmatch(
            r"20\d\d-\d\d-\d\d(, changed 20\d\d-\d\d-\d\d)?\. Status: (accepted|replaced by ).*", second
        ), path
        assert f"[{path.name[:4]}]({path.name})" in listed, path


@pytest.mark.parametrize(
    "page", ["docs/architecture.md", "docs/glossary.md", "CONTRIBUTING.md", "CHANGELOG.md"]
)
def test_the_files_and_functions_that_a_document_names_exist(page: str) -> None:
    """``path/to/file.py`` (``function``, ``Class``), over a line's end too."""
    text = " ".join((PROJECT / page).read_text().split())
    named = re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|yaml|html|txt))`(?: \(((?:`\w+`(?:, )?)+)\))?", text)
    assert len(named) > (0 if page == "docs/glossary.md" else 5)
    for path, names in named:
        if "/" not in path and path != "app.py":
            continue  # a file of the paragraph's own room
        code = (PROJECT / path).read_text()
        for name in re.findall(r"\w+", names):
            assert re.search(rf"(?m)^\s*(?:def|class) {name}\b|^{name}\b.* =", code), f"{path}: {name}"


def test_no_link_between_the_documents_is_broken() -> None:
    assert broken_links(DOCUMENTS) == []


@pytest.mark.parametrize("path", sorted(GENERATED), ids=str)
def test_what_is_made_from_the_code_is_fresh(path: Path) -> None:
    assert (PROJECT / path).read_text() == GENERATED[path], "run `python -m tools.docs.reference`"


# ---------------------------------------------------------------- the checks themselves


@pytest.mark.parametrize(
    "command",
    [
        "panicroom restore --to /tmp/restored --time 3D",
        "python -m ops machine add NAME [--job JOB]",
        "PASSPHRASE=secret panicroom enrol URL CODE --source ~/Documents --yes",
        "python -m ops report preview --out mail   # a comment",
        "panicroom duplicity -- collection-status --anything",
        "make demo SOURCE=folder",
        "aws s3api put-bucket-versioning --bucket B --versioning-configuration Status=Enabled",
    ],
)
def test_a_command_that_exists_is_taken(command: str) -> None:
    assert complaint_about(command) is None


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("panicroom restroe", "panicroom has no command restroe"),
        ("panicroom restore --too x", "panicroom restore has no option --too"),
        ("python -m ops machine ad NAME", "python -m ops machine has no command ad"),
        ("python -m ops report --to a", "python -m ops report has no option --to"),
        ("python -m ops.nothing", "there is no module ops.nothing"),
        ("make dmeo", "the Makefile has no target dmeo"),
        ("aws s3api put-versioning", "aws s3api has no command put-versioning"),
        ("aws s3api get-object --bukket B", "aws s3api get-object has no option --bukket"),
        ("frobnicate --now", "frobnicate is no program that the documents know"),
        ("panicroom 'status", "No closing quotation"),
    ],
)
def test_a_command_that_does_not_exist_is_complained_about(command: str, complaint: str) -> None:
    assert complaint_about(command) == complaint


def test_every_command_of_a_chain_is_looked_at() -> None:
    assert (
        len(complaints("panicroom status && \\\n  panicroom stauts && make dmeo\n# panicroom nothing")) == 2
    )


def test_what_a_function_of_the_shell_does_is_looked_at_over_its_lines() -> None:
    function = 'cold() { aws s3api get-object --bukket "$1" --query \\\n  "a\n  b"; }\ncold x'
    [complaint] = complaints(function)
    assert complaint.endswith("aws s3api get-object has no option --bukket")


def test_a_block_has_what_the_comment_above_it_says() -> None:
    text = (
        "<!-- not run here: needs AWS -->\n\n```\none\n```\n\n```python\nno\n```\n"
        "<!-- before:\nCODE=1\n-->\n```sh\ntwo CODE\n```\n<!-- tested by a.py -->\n```\nthree\n```\n"
    )
    one, two, three = Document(Path("x.md"), text).blocks
    assert (one.text, one.not_run_because, one.is_run) == ("one", "needs AWS", False)
    assert (two.text, two.before, two.is_run) == ("two CODE", "CODE=1", True)
    assert (three.tested_by, three.is_run) == ("a.py", False)


def test_a_link_to_a_heading_that_is_gone_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("")
    there = Document(Path("a.md"), "# Up and `down`\n")
    links = Document(Path("b.md"), "[1](a.md#up-and-down) [2](a.md#up) [3](c.md) [4](https://example.org)\n")
    assert broken_links([there, links], tmp_path) == [
        "b.md:1: a.md has no heading #up",
        "b.md:1: there is no c.md",
    ]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("What it costs, before you sign up", "what-it-costs-before-you-sign-up"), ("`a --b`", "a---b")],
)
def test_anchors_are_named_as_github_names_them(heading: str, anchor: str) -> None:
    assert anchor_of(heading) == anchor


def test_a_table_takes_the_place_of_the_one_before() -> None:
    text = "a\n<!-- table: t -->\n\nold\n\n<!-- end -->\nb\n"
    assert with_blocks(text, {"t": "new"}) == "a\n<!-- table: t -->\n\nnew\n<!-- end -->\nb\n"
    with pytest.raises(LookupError, match="no place for the table u"):
        with_blocks(text, {"u": "new"})


# ---------------------------------------------------------------- typing them


def test_a_block_is_typed_with_the_names_that_were_given_to_it() -> None:
    text = (
        "<!-- before:\nURL=$(api_url) CODE=$(code_for a)\n-->\n```\npanicroom enrol URL CODE  # $URL\n```\n"
    )
    script = script_of(Document(Path("x.md"), text), Path("/home"))
    assert "echo '@@ x.md:4'\nURL=$(api_url) CODE=$(code_for a)\n" in script
    assert "{\npanicroom enrol ${URL} ${CODE}  # $URL\n} < /home/answers" in script


def test_what_is_not_run_here_is_not_typed() -> None:
    text = "<!-- not run here: needs AWS -->\n```\npanicroom status\n```\n"
    assert "panicroom" not in script_of(Document(Path("x.md"), text), Path("/home"))


def test_a_failure_names_the_block_and_shows_what_was_said(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to("/bin/true")
    document = Document(Path("x.md"), "```\ntrue\n```\n\n```\necho boom\nexit 3\n```\n")
    assert try_document(document, DocumentClone(clone, tmp_path), tmp_path / "home") == (
        "x.md:5: ended with 3\n    @@ x.md:1\n    @@ x.md:5\n    boom"
    )


def test_every_command_there_is_is_typed_by_a_document_or_a_test() -> None:
    """So a command that the documents only mention was run by somebody, too."""
    typed = "\n".join(block.text for document in DOCUMENTS for block in document.blocks if block.is_run)
    tests = "\n".join(
        path.read_text()
        for folder in ("tests", "client/tests")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        if path != Path(__file__)
    )
    found = [
        name for name, _ in command_names("python -m ops", commands) + command_names("panicroom", panicroom)
    ]
    untyped = []
    for name in found:
        words = name.removeprefix("python -m ops ").removeprefix("panicroom ").split()
        in_a_test = r'",\s*"'.join(words)
        if name not in typed and not re.search(rf'"{in_a_test}"|"{" ".join(words)}', tests):
            untyped.append(name)
    assert untyped == []
