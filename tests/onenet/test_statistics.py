"""Statistics of requests, and ids in the texts of errors."""

import pytest

from custom_components.onenet_nbiot.onenet.client import OneNetClient
from custom_components.onenet_nbiot.onenet.errors import OneNetError
from tests.common import IMEI, OTHER_IMEI, UNKNOWN_UUID
from tests.emulator import Fault, FaultKind, Server


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"no {UNKNOWN_UUID}", "no ***"),
        (f"no {IMEI}, nor {OTHER_IMEI}", "no ***, nor ***"),
        # Times and error numbers are shorter than an IMEI.
        ("1767225600000 (7)", "1767225600000 (7)"),
    ],
)
async def test_the_ids_of_a_request_and_long_numbers_are_removed_from_the_text_of_an_error(
    client: OneNetClient, onenet: Server, text: str, redacted: str
) -> None:
    """Other words and numbers stay."""
    onenet.faults = [Fault(kind=FaultKind.ERRNO, errno=3, text=text)]
    with pytest.raises(OneNetError) as caught:
        await client.get_command(IMEI, UNKNOWN_UUID)
    assert caught.value.text == redacted


async def test_the_name_of_a_device_is_removed_as_a_whole_word(client: OneNetClient, onenet: Server) -> None:
    """It may be part of another word."""
    onenet.faults = [Fault(kind=FaultKind.ERRNO, errno=3, text="no met, met-2: metered 12 and 123")]
    with pytest.raises(OneNetError) as caught:
        await client.get_newest_datapoints(["met", "met-2", "12"])
    assert caught.value.text == "no ***, ***: metered *** and 123"


async def test_a_request_is_counted_without_the_id_in_its_path(client: OneNetClient, onenet: Server) -> None:
    """Each refusal is followed by a request that checks the key."""
    for uuid in (UNKNOWN_UUID, UNKNOWN_UUID[::-1]):
        with pytest.raises(OneNetError):
            await client.get_command(IMEI, uuid)
    await client.check_credentials()
    found = client.statistics.calls
    assert {call: (statistics.count, statistics.failed) for call, statistics in found.items()} == {
        "GET /nbiot/offline/history/{id}": (2, 2),
        "GET /devices": (3, 0),
    }
    assert 0 < found["GET /devices"].longest < found["GET /devices"].seconds
