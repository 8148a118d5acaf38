"""Where OneNET's platform and its devices deviate from the state of the registry in registry.py."""

from dataclasses import replace
from typing import Literal

from .definitions import ResourceDefinition
from .registry import REUSABLE


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
