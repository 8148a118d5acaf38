"""An emulated OneNET for tests, demonstrations and measurements: `python -m tests.emulator`.

It follows OneNET's documents and is independent of the integration.
"""

from .device import Command, Device, SendStatus, Trigger
from .faults import Fault, FaultKind
from .generation import Generation
from .platform import OneNet, Product
from .push import Push
from .refusals import RefusalError
from .server import Server
from .switches import Switches
from .times import BEIJING, Clock

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
    "Push",
    "RefusalError",
    "SendStatus",
    "Server",
    "Switches",
    "Trigger",
]
