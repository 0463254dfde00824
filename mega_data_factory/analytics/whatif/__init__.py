"""What another threshold would do to a run that has been: from its score histograms alone, without running anything."""
