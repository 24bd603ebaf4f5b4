"""How two files differ, in words that a person can act on. Nothing of them is run or unpickled."""
