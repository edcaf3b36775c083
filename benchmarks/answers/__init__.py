"""Answers: gold strings in them, found or not found, planted contradictions, the demo's questions; over ten nodes."""
