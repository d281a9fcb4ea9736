"""A TCP proxy that makes the network bad, connection by connection and direction by direction, while a campaign runs.

`up` goes to the server, `down` to the client. What a direction does is told by its Weather, which may change at any time:

  clear   bytes pass.
  delay   bytes pass after `seconds`.
  drip    one byte a second.
  stall   bytes wait, as packets that are lost and sent again later; they pass when the weather clears. A new connection waits too.
  swallow bytes are gone, as to a host that lost its memory; the connection says nothing more and can only time out (half-open).

`reset_all` ends every connection with RST; `cut_all` sends each direction one part of the next piece and then RST: a frame ends in its middle.
Counters say what happened, so that a fault that met no traffic does not count.
"""

import asyncio
import collections
import random
import socket
import struct
import threading

PIECE = 65536
TICK = 0.02


class Weather:
    def __init__(self):
        self.kind = "clear"
        self.seconds = 0.0

    def set(self, kind, seconds=0.0):
        self.kind, self.seconds = kind, seconds


class Connection:
    def __init__(self, proxy, reader, writer):
        self.proxy = proxy
        self.client = (reader, writer)
        self.server = None
        self.cut = False
        self.dead = False

    async def run(self):
        try:
            await self._wait_out_the_stall()
            self.server = await asyncio.open_connection("127.0.0.1", self.proxy.target)
            await asyncio.gather(self._pump("up", self.client[0], self.server[1]), self._pump("down", self.server[0], self.client[1]))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.reset()

    async def _wait_out_the_stall(self):
        """A handshake needs both directions."""
        waits = False
        while any(weather.kind in ("stall", "swallow") for weather in self.proxy.weather.values()) and not self.dead:
            self.proxy.counts["connections held"] += not waits
            waits = True
            await asyncio.sleep(TICK)

    async def _pump(self, direction, reader, writer):
        weather = self.proxy.weather[direction]
        swallowed = False
        while piece := await reader.read(PIECE):
            if self.cut:
                piece = piece[:self.proxy.dice.randrange(len(piece))]
            if weather.kind == "stall":
                self.proxy.counts["bytes held"] += len(piece)
                while weather.kind == "stall" and not self.dead:
                    await asyncio.sleep(TICK)
            # What lost bytes can never be whole again.
            if swallowed or weather.kind == "swallow":
                swallowed = True
                self.proxy.counts["bytes swallowed"] += len(piece)
                continue
            if weather.kind == "delay":
                self.proxy.counts["pieces delayed"] += 1
                await asyncio.sleep(weather.seconds)
            while weather.kind == "drip" and piece and not self.dead:
                writer.write(piece[:1])
                await writer.drain()
                piece = piece[1:]
                self.proxy.counts["bytes dripped"] += 1
                await asyncio.sleep(1)
            writer.write(piece)
            await writer.drain()
            self.proxy.counts["bytes passed"] += len(piece)
            if self.cut:
                self.proxy.counts["frames cut"] += 1
                return self.reset()
        if writer.can_write_eof():
            writer.write_eof()

    def reset(self):
        """Both ends see RST."""
        self.dead = True
        for _, writer in filter(None, (self.client, self.server)):
            end = writer.get_extra_info("socket")
            if end is not None and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class ChaosProxy:
    """Listens on a port of its own in a thread of its own, from construction to close. Thread safety: all methods from any thread."""

    def __init__(self, name, target, seed=0):
        self.name = name
        self.target = target
        self.dice = random.Random(seed)
        self.weather = {"up": Weather(), "down": Weather()}
        self.counts = collections.Counter()
        self.connections = set()
        self.loop = asyncio.new_event_loop()
        listening = threading.Event()
        self.thread = threading.Thread(target=self._serve, args=(listening,), daemon=True)
        self.thread.start()
        listening.wait()

    def _serve(self, listening):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, limit=PIECE))
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        self.loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _accept(self, reader, writer):
        self.counts["connections"] += 1
        connection = Connection(self, reader, writer)
        self.connections.add(connection)
        try:
            await connection.run()
        except asyncio.CancelledError:
            pass  # The proxy is closed.
        finally:
            self.connections.discard(connection)

    def set(self, kind, directions=("up", "down"), seconds=0.0):
        for direction in directions:
            self.weather[direction].set(kind, seconds)

    def clear(self, reset=False):
        """Good weather; `reset`: the connections of the bad times end, as those that a host gave up."""
        if reset:
            self.reset_all()
        self.set("clear")

    def reset_all(self):
        self._in_loop(lambda connection: connection.reset(), "connections reset")

    def cut_all(self):
        def cut(connection):
            connection.cut = True
        self._in_loop(cut, "connections to cut")

    def _in_loop(self, act, counter):
        def everywhere():
            for connection in list(self.connections):
                self.counts[counter] += 1
                act(connection)
            done.set()
        done = threading.Event()
        self.loop.call_soon_threadsafe(everywhere)
        done.wait(10)

    def close(self):
        self.reset_all()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
