"""What the guide model is trained on: sentences and grammar of our own, put together at random."""
