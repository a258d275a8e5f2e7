"""The run that the report's tests read."""

import pytest
from stripes_run import make_run


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run, this test's own."""
    return make_run(tmp_path / "stripes-run")
