"""Which coordinate systems have degrees that are those of WGS 84 but for a metre or two."""

import re

# The systems in which authorities survey today: of the world, North America, Europe and its countries, Latin
# America, Australia, New Zealand, Japan, Korea, China, South Africa. Older ones are off by 100 metres and more.
_AS_WGS_84 = frozenset((
    4326, 4979, 4269, 4617, 4759, 6318, 4258, 4171, 4619, 4669, 4661, 4180, 4765, 4761, 4659, 4173, 4151, 4670,
    4674, 4190, 5340, 4686, 4483, 6365, 4189, 4283, 7844, 4167, 4612, 6668, 4737, 4490, 4148,
))  # fmt: skip
_LONGITUDE_FIRST = ("CRS84", "CRS83")
_NUMBER = re.compile(r"(?<!\d)(\d+)\W*$")


def is_wgs_84(system: str) -> bool:
    """Return whether positions in a system of this name can be read as WGS 84: `EPSG:4674`, `OGC:1.3:CRS84`."""
    return system.upper().endswith(_LONGITUDE_FIRST) or has_latitude_first(system)


def has_latitude_first(system: str) -> bool:
    """Return whether a system of this name is one of those, and EPSG has latitude first in it."""
    number = _NUMBER.search(system)
    return number is not None and int(number[1]) in _AS_WGS_84
