"""A stand-in for AWS KMS that speaks its protocol to the real AWS SDK.

TrentService over JSON 1.1: DescribeKey, Encrypt, Decrypt, with authenticated
encryption contexts. Requests must carry a signature for the service; its
mathematics is the SDK's matter.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCOUNT = "111122223333"
REGION = "us-east-1"


class RefusedError(Exception):
    """An error as KMS tells it."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class KmsStandIn:
    """Keys, and what the next calls shall suffer.

    Attributes:
        calls: (operation, body) of every call, in order.
        failures: Codes that the next calls are refused with.
        delay_seconds: How long every answer takes.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failures: list[tuple[str, int]] = []
        self.delay_seconds = 0.0
        self.most_at_once = 0
        self.url = ""
        self._keys: dict[str, bytes] = {}
        self._aliases: dict[str, str] = {}
        self._disabled: set[str] = set()
        self._running = 0
        self._lock = threading.Lock()

    def create_key(self, alias: str = "") -> str:
        """Make a key; return its ARN. An alias moves to the newest key."""
        key_id = "-".join(os.urandom(n).hex() for n in (4, 2, 2, 2, 6))
        arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key_id}"
        self._keys[arn] = os.urandom(32)
        if alias:
            self._aliases[f"alias/{alias}"] = arn
        return arn

    def disable(self, arn: str) -> None:
        """Refuse every use of a key."""
        self._disabled.add(arn)

    def answer(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one call."""
        with self._lock:
            self.calls.append((operation, body))
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
            failure = self.failures.pop(0) if self.failures else None
        try:
            time.sleep(self.delay_seconds)
            if failure is not None:
                raise RefusedError(*failure)
            operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
                "DescribeKey": self._describe,
                "Encrypt": self._encrypt,
                "Decrypt": self._decrypt,
            }
            return operations[operation](body)
        finally:
            with self._lock:
                self._running -= 1

    def _arn(self, key_id: str) -> str:
        arn = self._aliases.get(key_id, key_id)
        found = [known for known in self._keys if known == arn or known.endswith(arn)]
        if not found:
            raise RefusedError("NotFoundException")
        return found[0]

    def _usable(self, key_id: str) -> str:
        arn = self._arn(key_id)
        if arn in self._disabled:
            raise RefusedError("DisabledException")
        return arn

    def _describe(self, body: dict[str, Any]) -> dict[str, Any]:
        arn = self._arn(body["KeyId"])
        metadata = {"KeyId": arn.rpartition("/")[2], "Arn": arn}
        return {"KeyMetadata": {**metadata, "Enabled": arn not in self._disabled}}

    def _encrypt(self, body: dict[str, Any]) -> dict[str, Any]:
        arn = self._usable(body["KeyId"])
        nonce = os.urandom(12)
        plaintext = base64.b64decode(body["Plaintext"])
        sealed = AESGCM(self._keys[arn]).encrypt(nonce, plaintext, _context(body))
        blob = json.dumps({"arn": arn, "n": nonce.hex(), "c": sealed.hex()}).encode()
        return {"KeyId": arn, "CiphertextBlob": base64.b64encode(blob).decode()}

    def _decrypt(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            blob = json.loads(base64.b64decode(body["CiphertextBlob"]))
            nonce, sealed = bytes.fromhex(blob["n"]), bytes.fromhex(blob["c"])
        except (ValueError, KeyError):
            raise RefusedError("InvalidCiphertextException") from None
        arn = self._usable(blob["arn"])
        if self._arn(body.get("KeyId", arn)) != arn:
            raise RefusedError("IncorrectKeyException")
        try:
            key = AESGCM(self._keys[arn]).decrypt(nonce, sealed, _context(body))
        except InvalidTag:
            raise RefusedError("InvalidCiphertextException") from None
        return {"KeyId": arn, "Plaintext": base64.b64encode(key).decode()}


@contextmanager
def kms_stand_in() -> Iterator[KmsStandIn]:
    """Serve a stand-in on a free port of this machine while the block runs."""
    stand_in = KmsStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(size))
            try:
                _check_signed(self.headers.get("Authorization", ""))
                service, _, operation = self.headers["X-Amz-Target"].partition(".")
                assert service == "TrentService"
                self._send(200, stand_in.answer(operation, body))
            except RefusedError as refusal:
                self._send(refusal.status, {"__type": refusal.code, "message": "no"})

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            content = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                pass  # the caller gave up

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _check_signed(authorization: str) -> None:
    if f"/{REGION}/kms/aws4_request" not in authorization:
        raise RefusedError("MissingAuthenticationTokenException")


def _context(body: dict[str, Any]) -> bytes:
    return json.dumps(body.get("EncryptionContext", {}), sort_keys=True).encode()
