"""A swarm of chargers for load and demos. Never imported by a serving process."""
