"""`websocket-client`, `WebSocketApp` with its own pings."""

import websocket

from tests.interop.followers.output import Output, arguments, say_connected

url, count, file, ping_seconds = arguments()
output = Output(file, count)


def on_open(app: websocket.WebSocketApp) -> None:
    assert app.sock is not None
    say_connected(app.sock.headers.get("sec-websocket-extensions"))


def on_message(app: websocket.WebSocketApp, message: str) -> None:
    if output.take(message):
        app.close()


app = websocket.WebSocketApp(url, on_open=on_open, on_message=on_message)
app.run_forever(ping_interval=ping_seconds, ping_timeout=ping_seconds * 0.9)
