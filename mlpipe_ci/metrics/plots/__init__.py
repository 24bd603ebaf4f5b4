"""From a plot's file to what is drawn of it, and from that to pictures."""
