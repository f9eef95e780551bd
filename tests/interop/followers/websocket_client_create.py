"""`websocket-client`, a loop of `recv`."""

import websocket

from tests.interop.followers.output import Output, arguments, say_connected

url, count, file, ping_seconds = arguments()
output = Output(file, count)
connection = websocket.create_connection(url)
say_connected(connection.headers.get("sec-websocket-extensions"))
while not output.take(connection.recv()):
    pass
connection.close()
