def fit(table, rate):
    """The share of fraud among large amounts, with a step of `rate`."""
    weight = 0.0
    for _ in range(20):
        weight += rate * (table.loc[table["large"], "fraud"].mean() - weight)
    return {"rate": rate, "weight": round(weight, 6)}
