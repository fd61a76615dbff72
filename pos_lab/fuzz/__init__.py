"""The fuzzer: valid messages of every dialect, made wrong in every way that a wire knows, and what must hold then."""
