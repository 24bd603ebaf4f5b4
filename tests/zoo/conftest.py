"""The projects of the zoo have tests of their own, which are none of ours."""

collect_ignore = ["projects"]
