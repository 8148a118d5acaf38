"""What the values of meters, covers, lamps and other devices mean, by object and resource."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass, field

from homeassistant.components.binary_sensor import (  # type: ignore[attr-defined] # 2026.8 has the class only here.
    BinarySensorDeviceClass as Binary,
)
from homeassistant.components.sensor import SensorDeviceClass as Sensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """Hold the meaning of an object's resources beyond their definitions.

    The dialog preselects `preselected`. Those and `measured` are measured or detected, `totals` are counters that only
    a reset decreases, and `net_totals` can decrease. All other resources are settings or describe the device, which is
    diagnostic, and so are those in `diagnostic`. `sensors` and `binary_sensors` are the device classes that do not
    follow from the unit.
    """

    preselected: AbstractSet[int]
    measured: AbstractSet[int] = frozenset()
    totals: AbstractSet[int] = frozenset()
    net_totals: AbstractSet[int] = frozenset()
    diagnostic: AbstractSet[int] = frozenset()
    sensors: Mapping[int, Sensor] = field(default_factory=dict)
    binary_sensors: Mapping[int, Binary] = field(default_factory=dict)


# The device class and the precision of a number by the unit of the registry. A percentage, an angle, a color
# temperature and a concentration have none, and Home Assistant has none for VAh, Ah and dBW.
BY_UNIT: dict[str, tuple[Sensor | None, int | None]] = {
    "A": (Sensor.CURRENT, 3),
    "Cel": (Sensor.TEMPERATURE, 1),
    "d": (Sensor.DURATION, None),
    "dB": (Sensor.SOUND_PRESSURE, 1),
    "h": (Sensor.DURATION, 1),
    "Hz": (Sensor.FREQUENCY, 2),
    "kVA": (Sensor.APPARENT_POWER, None),
    "kvar": (Sensor.REACTIVE_POWER, None),
    "kvarh": (Sensor.REACTIVE_ENERGY, 2),
    "kW": (Sensor.POWER, None),
    "kWh": (Sensor.ENERGY, None),
    # Water or gas, depending on the object.
    "m3": (None, 3),
    "m3/s": (Sensor.VOLUME_FLOW_RATE, 6),
    "s": (Sensor.DURATION, None),
    "V": (Sensor.VOLTAGE, 2),
    "VA": (Sensor.APPARENT_POWER, 1),
    "var": (Sensor.REACTIVE_POWER, 1),
    "varh": (Sensor.REACTIVE_ENERGY, 0),
    "W": (Sensor.POWER, 1),
    "Wh": (Sensor.ENERGY, None),
}
MEANINGS: dict[int, Meaning] = {
    # Smoke alarm
    3407: Meaning(
        preselected={6044, 6045, 6046},
        measured={6047, 6048},
        diagnostic={6044, 6045},
        sensors={6044: Sensor.BATTERY},
        binary_sensors={6046: Binary.SMOKE},
    ),
    # Manhole cover
    3408: Meaning(preselected={2, 3}, binary_sensors={3: Binary.OPENING}),
    # Battery
    3411: Meaning(
        preselected={1, 3, 6, 9},
        totals={8, 10},
        diagnostic={1, 3, 6, 8, 10},
        sensors={1: Sensor.BATTERY},
        binary_sensors={6: Binary.BATTERY, **dict.fromkeys((7, 9), Binary.PROBLEM)},
    ),
    # Outdoor lamp controller
    3416: Meaning(
        preselected={3, 5, 7, 46, 47},
        measured={2, 9, 10, 11, 12, 21, 22, 25, 40, 44, 45, 54, 62},
        totals={15, 18, 20, 23, 26, 56},
        diagnostic={18, 20, 21, 23, 26, 56, 62},
        binary_sensors=dict.fromkeys((5, 7, 9, 10, 11, 12, 14, 22, 25), Binary.PROBLEM),
    ),
    # Single-phase electrical meter
    3421: Meaning(
        preselected={1, 6, 13, 16, 17, 25, 26},
        measured={3, 5, 8, 10, 11, 12, 15, *range(18, 24), *range(27, 37), 40, 44, 45, 49, 50, 53, 58},
        totals={35, 36, 37, 38, 43, 48},
        net_totals={28},
        diagnostic={37, 38, 40, 43, 44, 45, 48, 49, 50},
        sensors=dict.fromkeys((13, 14), Sensor.POWER_FACTOR),
        binary_sensors=dict.fromkeys((3, 5, 8, 10, 15, 53, 58), Binary.PROBLEM),
    ),
    # Gas meter
    3423: Meaning(
        preselected={1, 9, 10, 11, 5518},
        measured={7, 8},
        totals={4},
        diagnostic={4},
        sensors={1: Sensor.GAS},
        binary_sensors={9: Binary.PROBLEM, 10: Binary.GAS, 11: Binary.HEAT},
    ),
    # Water meter
    3424: Meaning(
        preselected={1, 9, 10, 11, 12, 13, 5518},
        measured={7, 8},
        totals={4},
        diagnostic={4},
        sensors={1: Sensor.WATER},
        binary_sensors={10: Binary.MOISTURE, 13: Binary.TAMPER, **dict.fromkeys((9, 11, 12), Binary.PROBLEM)},
    ),
    # Irrigation valve
    3425: Meaning(preselected={2}, measured={4}, binary_sensors={6: Binary.PROBLEM}),
    # Air quality: Home Assistant accepts no ppm for sulphur dioxide and nitrogen monoxide.
    3428: Meaning(
        preselected={1, 3, 5, 7, 9, 12, 15, 17, 19, 21, 23},
        measured={2, 4, 6, 8, 10, 11, 13, 14, 16, 18, 20, 22, 24},
        sensors={
            **dict.fromkeys((1, 2), Sensor.PM10),
            **dict.fromkeys((3, 4), Sensor.PM25),
            **dict.fromkeys((5, 6), Sensor.PM1),
            **dict.fromkeys((7, 8), Sensor.CO),
            **dict.fromkeys((12, 13, 14), Sensor.OZONE),
            **dict.fromkeys((15, 16), Sensor.NITROGEN_DIOXIDE),
            **dict.fromkeys((17, 18), Sensor.CO2),
            **dict.fromkeys((23, 24), Sensor.VOLATILE_ORGANIC_COMPOUNDS_PARTS),
        },
    ),
    # Parking sensor: the duration of a day starts at zero every day.
    3431: Meaning(preselected={1, 2, 4}, totals={3}, binary_sensors={1: Binary.OCCUPANCY, 4: Binary.PROBLEM}),
    # Noise sensor
    3433: Meaning(preselected={1, 2, 3}, measured={4, 5}, binary_sensors=dict.fromkeys((1, 2), Binary.SOUND)),
    # Three-phase power meter
    10242: Meaning(
        preselected={4, 5, 6, 14, 15, 16, 24, 25, 26, 34, 39, 41},
        measured={*range(7, 14), *range(17, 24), *range(27, 34), *range(35, 39), 40, *range(42, 51)},
        totals={45},
        sensors=dict.fromkeys((11, 21, 31, 39, 40), Sensor.POWER_FACTOR),
    ),
}
