"""`websockets` on threads."""

from websockets.sync.client import connect

from tests.interop.followers.output import Output, arguments, say_connected

url, count, file, ping_seconds = arguments()
output = Output(file, count)
with connect(url) as websocket:
    say_connected(websocket.protocol.extensions)
    for message in websocket:
        if output.take(message):
            break
