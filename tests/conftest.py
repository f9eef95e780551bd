"""What every test runs under."""

from hypothesis import settings

# A slow machine is no failure: speed is measured in benchmarks/.
settings.register_profile("clown", deadline=None)
settings.load_profile("clown")
