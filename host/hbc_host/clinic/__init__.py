"""What a clinic lays down before anybody is stimulated: protocol files, their signature, and the plan of a session."""
