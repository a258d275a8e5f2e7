"""What the doctor finds in the runs of a study."""
