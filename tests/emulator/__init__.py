"""A OneNET to test, demonstrate and measure against: `python -m tests.emulator`.

It knows nothing of the integration: what it accepts is written down here a second time, from OneNET's documents.
"""

from .platform import BEIJING, Clock, Command, Device, OneNet, Product, RefusalError, SendStatus, Trigger
from .server import Fault, FaultKind, Server

__all__ = [
    "BEIJING",
    "Clock",
    "Command",
    "Device",
    "Fault",
    "FaultKind",
    "OneNet",
    "Product",
    "RefusalError",
    "SendStatus",
    "Server",
    "Trigger",
]
