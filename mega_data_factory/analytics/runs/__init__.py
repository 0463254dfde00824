"""What a run left behind, read and added up: the values that thinking about runs and drawing them start from."""
