"""Source selection among 16 search engines: learnt usefulness against common methods, on FeB4RAG."""
