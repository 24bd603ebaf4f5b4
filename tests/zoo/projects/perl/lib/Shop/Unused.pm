package Shop::Unused;

1;
