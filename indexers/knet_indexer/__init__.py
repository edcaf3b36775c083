"""The node program: index documents, publish them, answer questions with proofs and receipts."""
