def price(amount: int) -> int:
    if amount > 10:
        return amount * 9
    return amount * 10
