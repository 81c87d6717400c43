"""Cells of the H3 grid: stable, a block in size, and none for a point that is none."""

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regions.reading.cells import RESOLUTION, cell_of

SAMARA = (53.195878, 50.100202)
latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


def test_a_point_lies_in_the_cell_the_documentation_of_the_grid_gives() -> None:
    assert cell_of(37.3615593, -122.0553238, 5) == "85283473fffffff"


def test_a_cell_is_about_a_block_in_size() -> None:
    cell = cell_of(*SAMARA)
    assert cell is not None
    assert h3.get_resolution(cell) == RESOLUTION
    assert 0.05 < h3.cell_area(cell, unit="km^2") < 0.2


def test_neighbours_in_a_yard_share_a_cell_and_towns_do_not() -> None:
    assert cell_of(53.195878, 50.100202) == cell_of(53.195900, 50.100250)
    assert cell_of(*SAMARA) != cell_of(53.507, 49.42)


@given(latitudes, longitudes)
def test_every_point_of_the_earth_has_a_cell(latitude: float, longitude: float) -> None:
    cell = cell_of(latitude, longitude)
    assert cell is not None
    assert h3.is_valid_cell(cell)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (None, None),
        (None, 50.1),
        (53.2, None),
        (90.1, 0.0),
        (-91.0, 0.0),
        (0.0, 180.5),
        (float("nan"), 50.0),
        (53.0, float("inf")),
    ],
)
def test_no_point_has_no_cell(latitude: float | None, longitude: float | None) -> None:
    assert cell_of(latitude, longitude) is None


@pytest.mark.parametrize("resolution", [-1, 16])
def test_a_resolution_the_grid_does_not_have_is_refused(resolution: int) -> None:
    with pytest.raises(ValueError, match="no resolution"):
        cell_of(*SAMARA, resolution)
