"""Reading of documents: words, their order and noise of PDFs and pages, encodings of texts, against known text."""
