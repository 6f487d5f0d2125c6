"""How long the small things take that are done for every update, each against a loop of the same run."""
