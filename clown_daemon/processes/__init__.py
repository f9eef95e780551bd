"""Child processes of any kind: started in a session of their own, watched, stopped as a whole group, always reaped.

Knows nothing of profiles. `lifecycle` and `output` are pure; `supervisor` performs what the first one says and fills
the second one. `terminal` and `waiter` run a program that owns the user's terminal.
"""
