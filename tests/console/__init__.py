"""The console in a real browser, over a real gateway with simulated chargers."""
