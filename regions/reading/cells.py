"""Hexagons of a map (H3): which one a point lies in."""

import h3

RESOLUTION = 9  # 0.1 km2 on average: a few blocks of houses


def cell_of(
    latitude: float | None, longitude: float | None, resolution: int = RESOLUTION
) -> str | None:
    """The cell of a point in degrees; None where there is no point."""
    if latitude is None or longitude is None:
        return None
    return str(h3.latlng_to_cell(latitude, longitude, resolution))
