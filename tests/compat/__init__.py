"""Scripts as users of the two original packages wrote them: they run unchanged, and their numbers are right."""
