"""For all tests: what Hypothesis measures with a clock says something about this machine, not about the gateway."""

from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("busy")
