def price(amount: int) -> int:
    """Tell what an amount costs."""
    return amount * 3
