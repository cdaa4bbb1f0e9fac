"""The comments of the public headers as Doxygen reads them: no warning, and every type and tool has its text."""

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("doxygen") is None, reason="there is no Doxygen")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("doxygen")
    settings = (ROOT / "tools/doxygen/Doxyfile").read_text() + f"OUTPUT_DIRECTORY = {folder}\nHTML_OUTPUT = html\n"
    done = subprocess.run(["doxygen", "-"], input=settings, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return folder


def texts_of(element):
    return " ".join("".join(part.itertext()) for kind in ("briefdescription", "detaileddescription")
                    for part in element.findall(kind)).strip()


def test_every_header_says_what_it_is_and_its_thread_rules(pages):
    for header in (ROOT / "include/anemone").glob("*.h"):
        name = header.name.replace("_", "__").replace(".", "_8") + ".xml"
        text = texts_of(ElementTree.parse(pages / "xml" / name).getroot().find("compounddef"))
        assert "Thread rules" in text, header.name
        assert len(text) > 200, header.name


def test_the_comments_reach_the_page(pages):
    """One of each way of writing: before, after on the line, C's."""
    functions, fields = {}, {}
    for path in (pages / "xml").glob("*.xml"):
        for member in ElementTree.parse(path).getroot().iter("memberdef"):
            kind = functions if member.get("kind") == "function" else fields
            kind[member.find("definition").text if member.find("definition") is not None else ""] = texts_of(member)
    assert any("make the plan" in text or "plan to run it" in text for text in functions.values())
    assert functions["const char * anemone_error_code"].startswith('"usage"')
    assert any("what the command ends with" in text for text in fields.values())
