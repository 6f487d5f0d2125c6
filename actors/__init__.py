"""Live state: the pure rules in `core` and the Ray actors around them."""
