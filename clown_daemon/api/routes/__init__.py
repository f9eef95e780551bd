"""The handlers, one module a part of the API: decode, call a service, encode."""
