"""What it costs, measured: this tool beside what a person would use instead, and beside the floor."""
