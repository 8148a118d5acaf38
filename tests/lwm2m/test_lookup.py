"""Names, operations and unit resources of LwM2M resources."""

import pytest

from custom_components.onenet_nbiot.lwm2m import (
    DESCRIPTIONS,
    describe,
    is_measurement,
    is_readable,
    lwm2m_name,
    unit_path,
)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("3303/0/5700", "Temperature Sensor Value"),
        ("3303/0/5602", "Temperature Max Measured Value"),
        ("3303/2/5602", "Temperature 2 Max Measured Value"),
        ("3/0/9", "Device Battery Level"),
        ("3/0/22", "Device ExtDevInfo"),
        ("4/0/13", "Connectivity Monitoring Coverage Enhancement Level"),
        ("5/0/13", "Firmware Update Maximum Defer Period"),
        ("1/0/23", "LwM2M Server Mute Send"),
        ("7/0/8", "Connectivity Statistics Collection Period"),
        ("3303/0/9999", "Temperature 9999"),
        ("3303/1/9999", "Temperature 1 9999"),
        ("3/0/5700", "Device 5700"),
        ("31024/0/1", "31024/0/1"),
        # OneNET's meaning, not the registry's.
        ("3336/0/5513", "Location Latitude"),
        ("3336/1/5514", "Location 1 Longitude"),
        ("3336/0/5515", "Location Altitude"),
        ("3313/0/5513", "Accelerometer Max Z Value"),
        # Of former versions.
        ("5/0/4", "Firmware Update Update Supported Objects"),
        ("3303/0/5535", "Temperature Calibration Offset"),
        # Further objects that OneNET documents.
        ("19/1/0", "BinaryAppDataContainer 1 Data"),
        ("3408/0/3", "Manhole Cover Cover Open Status"),
        ("3424/0/1", "Water meter Cumulated water volume"),
        ("3424/1/5518", "Water meter 1 Timestamp"),
        ("3408/0/9", "Manhole Cover 9"),
        # Not the name of the registry, which another resource has.
        ("3416/0/27", "Outdoor lamp controller Control gear thermal shutdown counter reset"),
    ],
)
def test_every_resource_has_the_name_of_the_registry_or_of_onenet(path: str, name: str) -> None:
    """The ids replace unknown names; the entity has this name unless it has a translated one."""
    assert lwm2m_name(path) == name
    obj_id, _, res_id = map(int, path.split("/"))
    row = describe(path)
    assert (obj_id, res_id) in DESCRIPTIONS or (row.key, row.name) == (path, name)


def test_an_instance_without_a_resource_has_a_name_and_cannot_be_read() -> None:
    """An object instance of which OneNET lists no resources has a name, but neither a value nor a unit."""
    assert lwm2m_name("3303/1") == "Temperature 1"
    assert lwm2m_name("31024/1") == "31024/1"
    assert not is_readable("3303/1")
    assert not is_measurement("3303/1")
    assert unit_path("3303/1") == ""
    with pytest.raises(ValueError, match="3303/1 is not the path of a resource"):
        describe("3303/1")


@pytest.mark.parametrize("path", ["", "3303", "3303/0/5700/1", "3303_0_5700", "temperature"])
def test_a_path_of_another_shape_is_refused(path: str) -> None:
    """A path has the ids of an object, an instance and maybe a resource."""
    for function in (describe, is_measurement, is_readable, unit_path):
        with pytest.raises(ValueError, match=r"."):
            function(path)


@pytest.mark.parametrize(
    "path",
    [
        *("0/0/5", "1/0/4", "1/0/8", "3/0/4", "3/0/5", "3/0/12", "5/0/0", "5/0/2", "5/0/10", "7/0/6", "7/0/7"),
        *("3200/0/5505", "3302/0/5505", "3340/0/5523", "3341/0/5530", "3303/0/5605", "3305/0/5822", "3349/0/5911"),
        *("3305/0/5806", "3305/0/5816"),
        # Of further objects that OneNET documents.
        *("3411/0/11", "3416/0/16", "3423/0/2", "3424/0/5", "3433/0/8"),
        # In unknown objects, too.
        *("31024/0/5505", "31024/0/6008"),
        # Only OneNET says so.
        "3312/0/5851",
    ],
)
def test_an_executed_or_written_resource_is_not_readable(path: str) -> None:
    """A resource that is only executed or written is left out of OneNET's resource list."""
    assert not is_readable(path)


@pytest.mark.parametrize(
    "path",
    [
        *(path for ids in DESCRIPTIONS if is_measurement(path := f"{ids[0]}/0/{ids[1]}") and path != "3312/0/5851"),
        *("3/0/0", "1/0/1", "5/0/3", "3303/0/5601", "3303/0/5701", "3311/0/5851", "3338/0/5548", "31024/0/4"),
        *("19/0/0", "3408/0/3", "3424/0/1", "3424/0/6", "3425/0/3"),
    ],
)
def test_any_other_resource_is_readable(path: str) -> None:
    """Measurements, texts and resources of unknown objects are readable."""
    assert is_readable(path)


@pytest.mark.parametrize(
    "path",
    [
        *("3202/1/5600", "3303/1/5700", "3303/1/5601", "3303/1/5604", "3308/1/5900", "3313/1/5702", "3314/1/5513"),
        # At OneNET.
        "3331/1/5805",
    ],
)
def test_the_unit_of_a_measured_value_is_in_5701(path: str) -> None:
    """The unit is in resource 5701 of the same instance."""
    obj_id = path.partition("/")[0]
    assert unit_path(path) == describe(path).unit_path == f"{obj_id}/1/5701"


@pytest.mark.parametrize(
    "path",
    [
        *("3305/0/5800", "3305/0/5805", "3303/0/5701", "3303/0/5750", "3/0/9", "31024/0/5700", "3307/0/5700"),
        *("3336/0/5513", "3336/0/5514", "3336/0/5515"),
    ],
)
def test_any_other_resource_has_no_unit_in_5701(path: str) -> None:
    """A value that is not in the unit of 5701 has no unit resource."""
    assert unit_path(path) == describe(path).unit_path == ""
