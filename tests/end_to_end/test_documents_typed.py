"""Documents typed as they stand, by a laptop, its owner and a photographer. ``make docs-check`` types all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import Service, running_service
from tools.docs.check import place_to_try, try_document
from tools.docs.markdown import documents


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Its own: the documents name machines as other tests do."""
    with running_service(tmp_path_factory) as service:
        yield service


@pytest.mark.parametrize("path", ["client/README.md", "docs/weekly-mail.md", "docs/photos.md"])
def test_what_a_document_says_to_type_works(service: Service, path: str) -> None:
    [document] = [one for one in documents() if str(one.path) == path]
    assert any(block.is_run for block in document.blocks)
    with place_to_try(service.state_folder) as place:
        assert try_document(document, place, place.clone.parent / "home") is None
