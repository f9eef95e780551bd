"""The dashboard's pure core: one value, one function that replaces it, and selectors that cut rows out of it.

| module | holds |
|---|---|
| `model` | the value: everything that is known of the daemon |
| `reducer` | `reduce(model, messages)`: the only thing that makes a new value |
| `event_log` | what happened, bounded, collapsed, filtered |
| `filters` | the grammar behind `/` |
| `selectors` | value and time in, frozen rows and lines out |
| `panes`, `rows` | the five panes by name, and what a row is |

Nothing here reads a clock, a file or the environment.
"""
