"""What a published table gives away by itself: numbers that contradict one another."""
