"""What a watched command read and wrote, as inputs and outputs that nobody had to declare."""
