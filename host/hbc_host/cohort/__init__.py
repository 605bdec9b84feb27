"""Many patients: tables, models, and what they can and cannot show."""
