"""What all tests share."""

from hypothesis import settings

# How long an example takes says how busy the machine is; what must be fast is measured in bench/.
settings.register_profile("aldis", deadline=None)
settings.load_profile("aldis")
