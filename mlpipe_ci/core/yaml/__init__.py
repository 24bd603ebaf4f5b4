"""Only place that knows YAML: text in, plain values and positions out."""
