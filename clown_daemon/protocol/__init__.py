"""The contract: every type that crosses the wire, and nothing else.

Pure: no I/O, no clock, no logging. Services, store, client and dashboard work with these same types, so there is no
second model of anything and no mapping between models.

| module | holds |
|---|---|
| `resources` | what exists: profiles, runs, agents, providers, proxies, registry, usage, and the snapshot of it all |
| `events` | what happened: one struct per event type, the envelope, the catalogue of events as data |
| `stream` | how `/ws` is spoken: control frames, client actions, close codes, limits |
| `requests` | what a caller may ask for: bodies and query parameters, strict |
| `replies` | what a command answers when the answer is no resource |
| `problems` | every failure: code, status, sentence, hint |
| `codec` | the one place where bytes become these types and back |
| `timestamps` | epoch milliseconds and their RFC 3339 form |
| `endpoint`, `endpoints` | every endpoint as data |
| `examples` | one value of everything, for the documents, the pages and the tests |
| `schemas`, `openapi`, `asyncapi` | the contract for machines, made of the rest |
| `reference` | the contract for people: writes the generated pages |
| `names` | how event names, globs and groups are resolved, and the nearest known name of a typo |
"""
