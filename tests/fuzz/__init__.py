"""Files that nobody in their right mind would write, and what has to hold for each of them."""
