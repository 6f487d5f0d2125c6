"""At rest: the only layer that talks to Postgres, Redis and the object store."""
