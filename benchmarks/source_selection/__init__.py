"""Which of 16 search engines is of use for a request: learnt usefulness against the usual ways, on FeB4RAG."""
