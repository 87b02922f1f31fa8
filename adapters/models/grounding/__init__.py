"""What passages say and support: whether they answer, what is quoted of them, how it is cited; the answerer without a model."""
