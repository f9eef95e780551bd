"""The listener: HTTP under `/api/` and the event stream at `/ws`, on one port of loopback.

`app` is the route table (reading it is reading the API), `routes/` the handlers (decode, call a service, encode),
`websocket` the stream, `access` who may come in, `problems` how failures are told, `services` what is served.
"""
