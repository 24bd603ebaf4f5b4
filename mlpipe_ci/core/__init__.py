"""Values and rules of the program: no file, process, network or clock."""
