"""Rules of quality filters as datatrove has them."""
