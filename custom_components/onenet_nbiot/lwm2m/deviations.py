"""Where OneNET's platform and its devices deviate from registry.py, and where the registry contradicts itself."""

from dataclasses import replace
from typing import Literal

from .definitions import ResourceDefinition
from .registry import OBJECTS, REUSABLE


def _retyped(res_id: int, value_type: Literal["Opaque", "String"]) -> ResourceDefinition:
    """Return the definition of a reusable resource with another type."""
    return replace(REUSABLE[res_id], type=value_type, range="")


# Resources by object and resource, in place of the registry's.
DEVIATIONS: dict[tuple[int, int], ResourceDefinition] = {
    (3200, 5505): _retyped(5505, "Opaque"),
    (3202, 5605): _retyped(5605, "Opaque"),
    **{(3310, res_id): _retyped(res_id, "String") for res_id in (5824, 5825, 5826, 5827, 5828)},
    (3311, 5750): _retyped(5750, "Opaque"),
    (3312, 5851): replace(REUSABLE[5851], operations="W"),
    (3316, 5821): _retyped(5821, "String"),
    (3322, 5821): _retyped(5821, "String"),
    (3336, 5513): ResourceDefinition(name="Latitude", operations="R", type="String"),
    (3336, 5514): ResourceDefinition(name="Longitude", operations="R", type="String"),
    (3336, 5515): ResourceDefinition(name="Altitude", operations="R", type="String"),
    (3338, 5548): _retyped(5548, "Opaque"),
    # A percentage by its name and its range.
    (3407, 6044): replace(REUSABLE[6044], units="/100"),
    # The range, 0 to 180, is that of degrees.
    (3408, 1): replace(OBJECTS[3408].resources[1], units="deg"),
    (3408, 2): replace(OBJECTS[3408].resources[2], units="deg"),
    # The reset of the thermal shutdown counter has the name of the reset of the thermal derating counter.
    (3416, 27): replace(OBJECTS[3416].resources[27], name="Control gear thermal shutdown counter reset"),
    # By its description a number of days.
    (3416, 32): replace(OBJECTS[3416].resources[32], units="d"),
    # The threshold of a current in volts.
    (3421, 9): replace(OBJECTS[3421].resources[9], units="A"),
    # By the description of the object in decibels, as its minimum and its maximum are.
    (3433, 3): replace(OBJECTS[3433].resources[3], units="dB"),
    # Only in former versions of the object.
    (5, 4): ResourceDefinition(name="Update Supported Objects", operations="RW", type="Boolean"),
}
# Reusable resources that only former versions of the IPSO objects have. Operations and type of 5535 are assumed.
FORMER_REUSABLE: dict[int, ResourceDefinition] = {
    5514: ResourceDefinition(name="Latitude", operations="R", type="String"),
    5515: ResourceDefinition(name="Longitude", operations="R", type="String"),
    5516: ResourceDefinition(name="Uncertainty", operations="R", type="String"),
    5535: ResourceDefinition(name="Calibration Offset", operations="R", type="Float"),
}
# The resources whose unit is in resource 5701, where the registry fixes the unit.
WITH_SENSOR_UNITS = {(3331, 5805)}
