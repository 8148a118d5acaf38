"""A call of the API, as its route receives it."""

from dataclasses import dataclass

from .device import Device
from .generation import Generation
from .platform import OneNet, Product
from .refusals import RefusalError, missing, no_device


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call: the products that its key gives access to, its query and its body."""

    onenet: OneNet
    generation: Generation
    products: list[Product]
    query: dict[str, str]
    body: bytes

    @property
    def product(self) -> Product:
        """Return the product of a call that names none: the one of its device, or the first one."""
        imei = self.query.get("imei")
        return next((product for product in self.products if imei in product.devices), self.products[0])

    @property
    def named_product(self) -> Product:
        """Return the product that a call names by product_id."""
        if "product_id" not in self.query:
            raise missing("product_id")
        for product in self.products:
            if product.id == self.query["product_id"]:
                return product
        raise RefusalError(8, "no such product", 10408)

    @property
    def named_device(self) -> Device:
        """Return the device of the named product that a call names by device_name or imei."""
        product = self.named_product
        if "device_name" not in self.query and "imei" not in self.query:
            raise missing("device_name")
        for device in product.devices.values():
            if self.query.get("device_name", device.name) == device.name and (
                self.query.get("imei", device.imei) == device.imei
            ):
                return device
        raise no_device()
