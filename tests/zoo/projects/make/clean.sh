grep . "$1" | sort -n | uniq
