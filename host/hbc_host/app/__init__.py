"""The live page and its terminal twin: what the people around the patient see. Knows the feed of a session, no port."""
