"""Model names, and the meaning of a stored path."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.registry import naming
from gatekeeper.registry.db.tables import CLAIM_KEY

parts = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@settings(max_examples=50, deadline=None)
@given(folders=st.lists(parts), name=parts, between=st.sampled_from("/\\"), root=st.sampled_from(["", "/", "C:\\"]))
def test_only_the_last_part_of_a_path_counts_whatever_machine_wrote_it(folders, name, between, root):
    """Case 3: absolute paths of another machine."""
    assert naming.last_part(root + between.join([*folders, name])) == name


@pytest.mark.parametrize("path", ["", None, ".", "..", "/", "models/..", "C:\\"])
def test_a_path_that_names_no_file(path):
    assert naming.last_part(path) == ""


@pytest.mark.parametrize(
    ("version", "claims"),
    [
        ("gatekeeper_primary2", True),
        ("gatekeeper_primary", True),
        ("gatekeeper_primary_old", True),
        ("gatekeeper_2", False),
        ("gatekeeperXprimary2", False),  # `_` is a wildcard of LIKE
        ("Gatekeeper_primary2", False),
        ("", False),
    ],
)
def test_python_and_the_index_agree_on_what_claims_to_be_active(version, claims):
    found = sqlite3.connect(":memory:").execute(
        f"SELECT {CLAIM_KEY} = 'gatekeeper_primary' FROM (SELECT ? AS version)", [version]
    )
    assert naming.is_primary(version) is claims
    assert bool(found.fetchone()[0]) is claims


def test_names_of_a_model():
    assert naming.primary_version(2) == "gatekeeper_primary2"
    assert naming.standard_version(2) == "gatekeeper_2"
    assert naming.file_name("gatekeeper_2") == "gatekeeper_2.onnx"
