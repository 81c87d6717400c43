"""How far two points of the earth are from each other."""

from math import asin, cos, isfinite, radians, sin, sqrt

Point = tuple[float, float]  # latitude and longitude, degrees

EARTH_RADIUS = 6_371_008.8  # metres, the mean radius of the IUGG


def is_on_earth(point: Point) -> bool:
    latitude, longitude = point
    return (
        isfinite(latitude) and isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180
    )


def metres_between(one: Point, other: Point) -> float:
    """By the haversine formula: the earth as a sphere, wrong by 0.5 % at most."""
    (lat_a, lon_a), (lat_b, lon_b) = map(_in_radians, (one, other))
    across, along = sin((lat_b - lat_a) / 2), sin((lon_b - lon_a) / 2)
    return 2 * EARTH_RADIUS * asin(sqrt(across**2 + cos(lat_a) * cos(lat_b) * along**2))


def _in_radians(point: Point) -> Point:
    return radians(point[0]), radians(point[1])
