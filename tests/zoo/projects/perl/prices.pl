use strict;
use warnings;
use List::Util qw(sum);
use Shop::Price;

my @prices = map { chomp; Shop::Price::of($_) } <>;
print "$_\n" for @prices, sum @prices;
