"""Proxies: one process a profile that passes an agent's requests on and meters what they bill.

| module | holds |
|---|---|
| `engine` | the process itself |
| `metering` | what an answer bills, pure |
| `records` | what a proxy writes down of each request |
"""
