"""A Kubernetes KMS v2 plugin whose keys are in a PKCS#11 token: real AES-256-GCM keys that never leave a SoftHSM2 token.

    softhsm_kms.py SOCKET LABEL PIN     serves until it is killed; SIGHUP makes a newer key in the token, which Encrypt uses from then on

SOFTHSM2_CONF names the token's directory (see new_token). Needs the venv's packages. One line a call on standard output: method and uid.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import grpc
import pkcs11
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

ROOT = Path(__file__).resolve().parents[2]
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SERVICE = "v2.KeyManagementService"
KEY_NAME = "keyferry-root-"
ANNOTATION = "nonce.softhsm.keyferry.example"
NONCE_BYTES = 12


def new_token(directory, label="keyferry", pin="1234"):
    """A fresh token; answers the environment that finds it."""
    tokens = Path(directory) / "tokens"
    tokens.mkdir(mode=0o700, parents=True)
    configuration = Path(directory) / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": str(configuration)}
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", pin, "--pin", pin],
                   env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
    return environment


def messages():
    """The service's description and the classes of its messages, from the proto itself."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--descriptor_set_out={file.name}", "kms/v2/api.proto"], check=True)
        described = descriptor_pb2.FileDescriptorSet.FromString(Path(file.name).read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for each in described:
        pool.Add(each)
    return pool.FindServiceByName(SERVICE)


class Token:
    """Keys by name, in one session; PKCS#11 sessions are not for two threads at a time."""

    def __init__(self, label, pin):
        self.session = pkcs11.lib(MODULE).get_token(token_label=label).open(rw=True, user_pin=pin)
        self.lock = threading.Lock()
        if not self.names():
            self.rotate()

    def names(self):
        with self.lock:
            found = self.session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
            labels = [key.label for key in found if key.label.startswith(KEY_NAME)]
        return sorted(labels, key=lambda label: int(label.removeprefix(KEY_NAME)))

    def rotate(self):
        name = f"{KEY_NAME}{len(self.names()) + 1}"
        with self.lock:
            self.session.generate_key(KeyType.AES, 256, label=name, store=True, template={
                Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.ENCRYPT: True, Attribute.DECRYPT: True})

    def _key(self, name):
        return self.session.get_key(object_class=ObjectClass.SECRET_KEY, label=name)

    def encrypt(self, name, plaintext):
        nonce = secrets.token_bytes(NONCE_BYTES)
        with self.lock:
            return nonce, self._key(name).encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, b"", 128))

    def decrypt(self, name, nonce, ciphertext):
        with self.lock:
            return self._key(name).decrypt(ciphertext, mechanism=Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, b"", 128))


class Plugin:
    def __init__(self, token):
        self.token = token
        self.service = messages()

    def answer(self, name, **fields):
        return message_factory.GetMessageClass(self.service.methods_by_name[name].output_type)(**fields)

    def status(self, _request, _context):
        return self.answer("Status", version="v2", healthz="ok", key_id=self.token.names()[-1])

    def encrypt(self, request, _context):
        print("Encrypt", request.uid, flush=True)
        name = self.token.names()[-1]
        nonce, ciphertext = self.token.encrypt(name, request.plaintext)
        return self.answer("Encrypt", ciphertext=ciphertext, key_id=name, annotations={ANNOTATION: nonce})

    def decrypt(self, request, context):
        print("Decrypt", request.uid, flush=True)
        try:
            plaintext = self.token.decrypt(request.key_id, request.annotations[ANNOTATION], request.ciphertext)
        except pkcs11.exceptions.PKCS11Error as error:
            context.abort(grpc.StatusCode.INTERNAL, type(error).__name__)
        return self.answer("Decrypt", plaintext=plaintext)

    def handlers(self):
        def handler(name, function):
            method = self.service.methods_by_name[name]
            return grpc.unary_unary_rpc_method_handler(
                function, request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
                response_serializer=lambda message: message.SerializeToString())
        return grpc.method_handlers_generic_handler(
            SERVICE, {"Status": handler("Status", self.status), "Encrypt": handler("Encrypt", self.encrypt), "Decrypt": handler("Decrypt", self.decrypt)})


def main(path, label, pin):
    token = Token(label, pin)
    plugin = Plugin(token)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((plugin.handlers(),))
    Path(path).unlink(missing_ok=True)
    os.umask(0o117)
    server.add_insecure_port(f"unix:{path}")
    server.start()
    print("serving", flush=True)
    while True:
        signal.sigwait({signal.SIGHUP})
        token.rotate()
        print("rotated", token.names()[-1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
