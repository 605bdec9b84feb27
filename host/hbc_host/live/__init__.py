"""A session under way: what the triggers say about its steps, and the feed that pages listen to."""
