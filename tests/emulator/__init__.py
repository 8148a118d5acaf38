"""A OneNET to test, demonstrate and measure against: `python -m tests.emulator`.

It knows nothing of the integration: what it accepts is written down here a second time, from OneNET's documents.
"""

from .device import Command, Device, SendStatus, Trigger
from .generation import Generation
from .parameters import BEIJING, RefusalError
from .platform import Clock, OneNet, Product
from .server import Fault, FaultKind, Server

__all__ = [
    "BEIJING",
    "Clock",
    "Command",
    "Device",
    "Fault",
    "FaultKind",
    "Generation",
    "OneNet",
    "Product",
    "RefusalError",
    "SendStatus",
    "Server",
    "Trigger",
]
