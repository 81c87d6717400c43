"""Hexagons of a map (H3): which one a point lies in, to count and to compare by."""

import h3

from regions.reading.distance import is_on_earth

RESOLUTION = 9  # 0.1 km² on average: a few blocks of houses
RESOLUTIONS = range(16)  # those H3 has


def cell_of(
    latitude: float | None, longitude: float | None, resolution: int = RESOLUTION
) -> str | None:
    """The cell of a point in degrees; None where there is no point, or none of the earth.

    Raises ValueError for a resolution H3 does not have.
    """
    if resolution not in RESOLUTIONS:
        raise ValueError(f"H3 has no resolution {resolution}")
    if latitude is None or longitude is None or not is_on_earth((latitude, longitude)):
        return None
    return str(h3.latlng_to_cell(latitude, longitude, resolution))
