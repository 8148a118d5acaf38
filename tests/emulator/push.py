"""The HTTP push: requests that the platform sends to an application, as its documents describe them."""

import asyncio
from base64 import b64decode, b64encode
from datetime import datetime
import hashlib
import itertools
import json
import secrets
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from .device import Command, Device, as_json
from .generation import Generation
from .times import milliseconds

# Seconds within which an application has to answer.
ANSWER_TIMEOUT = 5
# Seconds before each repetition. The current platform repeats 16 times within 2 h 45 min; the legacy platform's pauses
# are not documented.
REPETITIONS = {
    Generation.LEGACY: itertools.repeat(5),
    Generation.CURRENT: (10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 900, 1260, 1800, 2600),
}
# After so many failures in sum, the legacy platform stops until it is restarted by hand.
FAILURES_MAX = 2000


def sign(token: str, nonce: str, text: str) -> str:
    """Return the signature of a text."""
    return b64encode(hashlib.md5(f"{token}{nonce}{text}".encode(), usedforsecurity=False).digest()).decode()


def encrypt(generation: Generation, key: str, text: str) -> str:
    """Return a text encrypted with the key of a platform."""
    plain, secret, block = text.encode(), key.encode(), 16
    if generation is Generation.LEGACY:
        plain = secrets.token_bytes(16) + len(plain).to_bytes(4) + plain
        secret, block = b64decode(f"{key}="), 32
    padding = block - len(plain) % block
    encryptor = Cipher(AES(secret), modes.CBC(secret[:16])).encryptor()
    return b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()


def body_of(generation: Generation, token: str, key: str | None, *messages: dict[str, Any], id_: str = "") -> str:
    """Return the body of a request with messages; only the legacy platform sends several at once."""
    nonce = secrets.token_urlsafe(6)
    content: Any = messages[0] if len(messages) == 1 else list(messages)
    text = json.dumps(content, ensure_ascii=False)
    if key is not None:
        text = encrypt(generation, key, text)
    signature = sign(token, nonce, text)
    if generation is Generation.CURRENT:
        time = milliseconds(datetime.now().astimezone())
        members = {"msg": text, "nonce": nonce, "signature": signature, "time": time, "id": id_ or secrets.token_hex(8)}
        return json.dumps(members, ensure_ascii=False)
    if key is not None:
        return json.dumps({"enc_msg": text, "msg_signature": signature, "nonce": nonce})
    # The signature is over the text as it stands in the body.
    return f'{{"msg":{text},"msg_signature":"{signature}","nonce":"{nonce}"}}'


class Push:
    """Push what happens on a platform to a URL; `second` is the length of a second of the pauses."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        generation: Generation,
        product_id: str,
        key: str | None = None,
        second: float = 1,
    ) -> None:
        """Create a push that is on."""
        self.url = url
        self.token = token
        self.generation = generation
        self.product_id = product_id
        self.key = key
        self.second = second
        self.failures = 0
        self.is_on = True
        self._tasks: set[asyncio.Task[None]] = set()

    async def check_url(self) -> bool:
        """Check the URL, and return whether the application answers with the message."""
        nonce, message = secrets.token_hex(4), secrets.token_hex(8)
        query = {"msg": message, "nonce": nonce, "signature": sign(self.token, nonce, message)}
        async with ClientSession() as session, session.get(self.url, params=query) as response:
            return response.status == 200 and await response.text() == message

    def datapoint(self, device: Device, path: tuple[int, int, int], value: Any, at: datetime) -> None:
        """Push a value that a device has reported."""
        value = as_json(value, in_hex=self.generation is Generation.CURRENT)
        self._send(device, {"type": 1, "ds_id": "_".join(map(str, path)), "value": value, "at": milliseconds(at)})

    def presence(self, device: Device, at: datetime) -> None:
        """Push that a device went online or offline."""
        offline = 0 if self.generation is Generation.LEGACY else 2
        message = {"type": 2, "status": 1 if device.online else offline, "login_type": 10, "at": milliseconds(at)}
        self._send(device, message)

    def outcome(self, device: Device, command: Command) -> None:
        """Push the outcome of a command; only on the legacy platform."""
        if self.generation is Generation.CURRENT:
            return
        message: dict[str, Any] = {
            "type": 7,
            "cmd_id": command.uuid,
            "cmd_type": {"READ": 1, "WRITE": 2, "EXECUTE": 3}[command.kind],
            "send_time": command.send_time and milliseconds(command.send_time),
            "send_status": int(command.send_status),
            "confirm_time": command.confirm_time and milliseconds(command.confirm_time),
            "confirm_status": command.confirm_status,
        }
        if command.result is not None:
            message["confirm_body"] = {"obj_id": int(command.args["obj_id"]), "obj_inst": command.result}
        self._send(device, message)

    def _send(self, device: Device, message: dict[str, Any]) -> None:
        """Send a message about a device in a task."""
        if self.generation is Generation.LEGACY:
            message |= {"dev_id": device.id, "imei": device.imei}
        else:
            message |= {"dev_name": device.name, "pid": self.product_id}
        if self.is_on:
            self._tasks.add(task := asyncio.get_running_loop().create_task(self._deliver(message)))
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, message: dict[str, Any]) -> None:
        """Send a message, again until it is answered with 200 or the repetitions are over."""
        id_ = secrets.token_hex(8)
        body = body_of(self.generation, self.token, self.key, message, id_=id_)
        async with ClientSession(timeout=ClientTimeout(total=ANSWER_TIMEOUT)) as session:
            for pause in itertools.chain((0,), REPETITIONS[self.generation]):
                await asyncio.sleep(pause * self.second)
                if not self.is_on or await self._is_accepted(session, body):
                    return
                self.failures += 1
                if self.generation is Generation.LEGACY and self.failures >= FAILURES_MAX:
                    self.is_on = False

    async def _is_accepted(self, session: ClientSession, body: str) -> bool:
        """Send a request, and return whether it is answered with 200."""
        try:
            async with session.post(self.url, data=body, headers={"Content-Type": "application/json"}) as response:
                return response.status == 200
        except ClientError, TimeoutError:
            return False

    async def finish(self) -> None:
        """Wait until all messages are delivered."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Stop pushing."""
        self.is_on = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
