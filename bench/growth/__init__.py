"""Growth on paper: placement and moves of 1,000 shards and 10M students, and what a million students cost."""
