"""The ml-training stage: from the feature table to a tracked, registered, judged model."""
