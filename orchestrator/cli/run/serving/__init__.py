"""What the commands of `serve` share with `up --serve`: which models are wanted, and a run that serves them."""
