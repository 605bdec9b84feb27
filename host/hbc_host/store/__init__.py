"""What is kept of patients between sessions: pseudonyms, visits, scores, adverse events, and who changed what."""
