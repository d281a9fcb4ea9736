"""gRPC calls made from the descriptor set alone, as a stock client of any language makes them. Needs the venv's packages."""

import os

# Its handlers around fork() kill the daemons that we start while a channel is open.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from harness import BIN

DESCRIPTOR_SET = BIN.parent / "keyferry_descriptors.pb"


def descriptors():
    """Of every file in the set, by name."""
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes()).file
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    return {file.name: pool.FindFileByName(file.name) for file in files}


def services():
    """Every service of the wire, by its name without the package."""
    return {name: service for file in descriptors().values() if file.package == "keyferry.v1"
            for name, service in file.services_by_name.items()}


class Stubs:
    """Calls on one channel, with one API key or a client certificate (its key and chain); requests and answers are dictionaries, as JSON has them."""

    def __init__(self, target, ca_file, key=None, client_credentials=(None, None)):
        # Subchannels are shared in a process unless told otherwise, and then one test would cut another one's calls.
        self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca_file.read_bytes(), *client_credentials),
                                           [("grpc.use_local_subchannel_pool", 1)])
        self.metadata = [("authorization", f"Bearer {key}")] if key else []
        self.services = services()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def _start(self, method, request, **options):
        service, name = method.split("/")
        description = self.services[service].methods_by_name[name]
        asked, answered = (message_factory.GetMessageClass(each) for each in (description.input_type, description.output_type))
        kind = self.channel.unary_stream if description.server_streaming else self.channel.unary_unary
        call = kind(f"/keyferry.v1.{method}", asked.SerializeToString, answered.FromString)
        return call, json_format.ParseDict(request, asked()), {"metadata": self.metadata, **options}

    def call(self, method, request=None, timeout=30):
        """call("SecretSets/GetSecretSet", {"secretSet": NAME}) answers the set."""
        call, message, options = self._start(method, request or {}, timeout=timeout)
        return json_format.MessageToDict(call(message, **options))

    def future(self, method, request, timeout=30):
        """The same without waiting: a call that can be cancelled."""
        call, message, options = self._start(method, request, timeout=timeout)
        return call.future(message, **options)

    def stream(self, method, request, timeout=None):
        """Answers the call, which can be cancelled, and an iterator over what it brings."""
        call, message, options = self._start(method, request, timeout=timeout)
        started = call(message, **options)
        return started, map(json_format.MessageToDict, started)


def details(error):
    """What a refusal carries, by the name of its type: {"ErrorInfo": message, "RetryInfo": message …}."""
    found = {}
    for packed in rpc_status.from_call(error).details:
        name = packed.TypeName().removeprefix("google.rpc.")
        message = getattr(error_details_pb2, name)()
        packed.Unpack(message)
        found[name] = message
    return found
